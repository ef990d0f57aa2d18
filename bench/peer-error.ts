// Why a peer is not in the report.

/** A peer is not installed or does not run here: the bench goes on without it. */
export class PeerError extends Error {
  readonly peer: string;
  readonly reason: string;

  constructor(peer: string, reason: string) {
    super(`Cannot measure the peer "${peer}": ${reason}.`);
    this.name = 'PeerError';
    this.peer = peer;
    this.reason = reason;
  }
}
