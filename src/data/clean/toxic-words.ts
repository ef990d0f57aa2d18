// Words that insult, and words of adult content, mild ones, written for this project; English and Chinese. Layer: data (pure).
// A list finds what is said bluntly. Slurs against groups are left out on purpose: a list of them does more harm in a
// repository than good in a filter; give your own file, or train a classifier (`quality-classifier`).

const list = (words: string): readonly string[] => words.split(', ');

/** Insults, threats and swear words. */
export const TOXIC_WORDS = list(
  'idiot, idiots, moron, morons, imbecile, stupid, dumb, dumbass, jackass, asshole, assholes, bastard, bastards, bitch, bitches, bullshit, shit, shitty, crap, damn you, go to hell, fuck, fucking, fucked, fucker, ' +
    'motherfucker, dickhead, douchebag, scumbag, loser, losers, pathetic, worthless, shut up, piss off, screw you, kill yourself, drop dead, i hate you, i will kill you, disgusting, trash, retarded, twat, wanker, prick, ' +
    '傻瓜, 笨蛋, 蠢货, 蠢猪, 白痴, 弱智, 脑残, 废物, 垃圾人, 混蛋, 王八蛋, 滚开, 滚蛋, 去死, 该死, 贱人, 贱货, 人渣, 畜生, 狗屁, 放屁, 他妈的, 妈的, 神经病, 智障, 闭嘴, 恶心, 无耻, 不要脸, 杀了你, 傻逼, 操你',
);

/** Words that adult pages advertise with. */
export const ADULT_WORDS = list(
  'porn, porno, pornographic, xxx, nude, nudes, naked girls, erotic, erotica, sexy, hot girls, horny, hardcore, softcore, webcam girls, camgirl, camgirls, escort service, escorts, strip club, stripper, hentai, fetish, ' +
    'blowjob, orgasm, masturbation, masturbate, threesome, milf, adult videos, sex videos, sex chat, sex toys, free sex, live sex, hookup, playmate, lingerie, ' +
    '色情, 情色, 黄片, 黄色网站, 成人电影, 成人影片, 成人视频, 成人网站, 裸聊, 裸体, 裸照, 一夜情, 约炮, 援交, 自慰, 性爱, 做爱, 激情视频, 美女视频, 无码, 有码, 三级片, 色图, 情趣用品, 性感美女, 丝袜美腿',
);
