import { describe, expect, it } from 'vitest';
import { AllowedHosts, whyNotPublic } from '../../../src/data/collect/net/address.ts';

describe('whyNotPublic()', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['169.254.169.254', 'link-local or metadata'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['100.127.255.255', 'carrier-grade NAT'],
    ['100.100.100.200', 'carrier-grade NAT'],
    ['0.0.0.0', 'this network'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved or broadcast'],
    ['255.255.255.255', 'reserved or broadcast'],
    ['192.0.2.1', 'documentation'],
    ['198.18.0.1', 'benchmarks'],
    ['168.63.129.16', 'metadata'],
    ['::1', 'loopback'],
    ['::', 'unspecified'],
    ['fe80::1', 'link-local'],
    ['febf::1', 'link-local'],
    ['fc00::1', 'private'],
    ['fd00:ec2::254', 'private'],
    ['ff02::1', 'multicast'],
    ['::ffff:127.0.0.1', 'loopback (IPv4-mapped)'],
    ['::ffff:7f00:1', 'loopback (IPv4-mapped)'],
    ['0:0:0:0:0:ffff:10.0.0.1', 'private (IPv4-mapped)'],
    ['64:ff9b::7f00:1', 'loopback (NAT64)'],
    ['64:ff9b::169.254.169.254', 'link-local or metadata (NAT64)'],
    ['64:ff9b:1::1', 'reserved'],
    ['2002:7f00:1::', 'loopback (6to4)'],
    ['2002:c0a8:101::1', 'private (6to4)'],
    ['2001:0:53aa:64c::1', 'protocol assignments or Teredo'],
    ['2001:db8::1', 'documentation'],
    ['::127.0.0.1', 'reserved'],
    ['2a00:1450::5efe:10.0.0.1', 'private (ISATAP)'],
    ['fec0::1', 'reserved'],
    ['fe80::1%eth0', 'no address'],
    ['4000::1', 'reserved'],
    ['localhost', 'no address'],
    ['', 'no address'],
  ])('refuses %s as %s', (address, why) => {
    expect(whyNotPublic(address)).toBe(why);
  });

  it.each(['1.1.1.1', '93.184.216.34', '172.15.255.255', '172.32.0.1', '100.63.255.255', '100.128.0.1', '169.253.0.1', '223.255.255.255', '2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '::ffff:1.1.1.1', '64:ff9b::1.1.1.1', '2002:101:101::1'])('takes %s', (address) => {
    expect(whyNotPublic(address)).toBeUndefined();
  });
});

describe('AllowedHosts', () => {
  it('knows names, addresses and ranges, and nothing beside them', () => {
    const allowed = new AllowedHosts(['Localhost', '10.0.0.0/8', '::1', '192.168.1.7']);
    expect(allowed.hasName('localhost')).toBe(true);
    expect(allowed.hasName('local')).toBe(false);
    expect(['10.255.1.1', '::1', '0:0:0:0:0:0:0:1', '192.168.1.7'].map((address) => allowed.hasAddress(address))).toEqual([true, true, true, true]);
    expect(['11.0.0.1', '::2', '192.168.1.8', '::ffff:10.0.0.1', 'x'].map((address) => allowed.hasAddress(address))).toEqual([false, false, false, false, false]);
  });
});
