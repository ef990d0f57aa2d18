// Words for groups of people and for attributes, English and Chinese, written for this project. Layer: data (pure).
// A word here says nothing about anyone: it is what a count is made of. Words with a common other sense (white, straight, 白)
// stand only in phrases. The lists are short on purpose: an auditor reads them in a minute and gives their own instead.

/** Words of one group or attribute: English in lower case, whole words or phrases; Chinese as they stand anywhere. */
export type WordList = readonly string[];
/** Dimension → group → words. */
export type Groups = Readonly<Record<string, Readonly<Record<string, WordList>>>>;

const list = (words: string): WordList => words.split(', ');

export const GROUP_WORDS: Groups = {
  gender: {
    female: list('she, her, hers, herself, woman, women, girl, girls, mother, mothers, daughter, daughters, sister, sisters, wife, wives, aunt, grandmother, female, lady, ladies, mrs, ms, queen, 她, 她们, 女人, 女性, 女士, 女孩, 女子, 女生, 母亲, 妈妈, 女儿, 姐姐, 妹妹, 妻子, 奶奶, 阿姨'),
    male: list('he, him, his, himself, man, men, boy, boys, father, fathers, son, sons, brother, brothers, husband, husbands, uncle, grandfather, male, gentleman, gentlemen, mr, king, 他, 男人, 男性, 先生, 男孩, 男子, 男生, 父亲, 爸爸, 儿子, 哥哥, 弟弟, 丈夫, 爷爷, 叔叔'),
  },
  ethnicity: {
    african: list('black people, black man, black woman, african american, african americans, black community, africans, 黑人, 非洲人, 非裔'),
    asian: list('asian, asians, asian american, chinese people, japanese people, korean people, indian people, 亚洲人, 亚裔, 华人, 汉族'),
    european: list('white people, white man, white woman, caucasian, caucasians, europeans, 白人, 欧洲人'),
    hispanic: list('hispanic, hispanics, latino, latina, latinos, latinas, latin american, 拉丁裔, 拉美裔'),
    'middle eastern': list('arab, arabs, middle eastern, persian, persians, turks, kurds, 阿拉伯人, 中东人, 波斯人'),
    indigenous: list('indigenous, native american, native americans, aboriginal, first nations, 原住民, 印第安人, 少数民族, 藏族, 维吾尔族, 蒙古族, 回族, 苗族, 壮族'),
  },
  religion: {
    christian: list('christian, christians, christianity, catholic, catholics, protestant, protestants, church, bible, 基督教, 基督徒, 天主教, 教堂, 圣经'),
    muslim: list('muslim, muslims, islam, islamic, mosque, quran, 穆斯林, 伊斯兰, 清真寺, 古兰经'),
    jewish: list('jewish, jew, jews, judaism, synagogue, 犹太人, 犹太教'),
    buddhist: list('buddhist, buddhists, buddhism, monastery, 佛教, 佛教徒, 僧人, 寺庙'),
    hindu: list('hindu, hindus, hinduism, 印度教, 印度教徒'),
    taoist: list('taoist, taoists, taoism, daoism, 道教, 道士, 道观'),
    atheist: list('atheist, atheists, atheism, nonreligious, 无神论, 无神论者'),
  },
  age: {
    young: list('young people, young man, young woman, youth, teenager, teenagers, adolescent, adolescents, child, children, kids, 年轻人, 青年, 少年, 青少年, 儿童, 孩子'),
    old: list('old people, old man, old woman, elderly, senior citizen, senior citizens, pensioner, pensioners, retiree, retirees, 老人, 老年人, 老年, 长者, 退休人员'),
  },
  region: {
    africa: list('africa, nigeria, kenya, ethiopia, egypt, south africa, ghana, 非洲, 尼日利亚, 肯尼亚, 埃塞俄比亚, 埃及, 南非'),
    asia: list('asia, china, india, japan, korea, indonesia, vietnam, pakistan, 亚洲, 中国, 印度, 日本, 韩国, 印度尼西亚, 越南, 巴基斯坦'),
    europe: list('europe, germany, france, england, italy, spain, poland, russia, 欧洲, 德国, 法国, 英国, 意大利, 西班牙, 波兰, 俄罗斯'),
    'latin america': list('latin america, south america, brazil, argentina, chile, colombia, peru, mexico, 拉丁美洲, 南美洲, 巴西, 阿根廷, 智利, 墨西哥'),
    'middle east': list('middle east, iran, iraq, israel, saudi arabia, turkey, syria, 中东, 伊朗, 伊拉克, 以色列, 沙特, 土耳其, 叙利亚'),
    'north america': list('united states, america, usa, canada, 美国, 加拿大, 北美'),
    oceania: list('australia, new zealand, oceania, 澳大利亚, 新西兰, 大洋洲'),
  },
};

export const ATTRIBUTE_WORDS: Readonly<Record<string, WordList>> = {
  career: list('career, salary, office, business, professional, management, executive, corporation, 事业, 职业, 工资, 办公室, 商业, 管理, 经理, 公司'),
  family: list('family, home, parents, children, marriage, wedding, relatives, household, cooking, 家庭, 婚姻, 婚礼, 亲戚, 家务, 做饭, 照顾'),
  science: list('science, physics, chemistry, mathematics, engineer, engineering, technology, scientist, 科学, 物理, 化学, 数学, 工程师, 工程, 技术, 科学家'),
  arts: list('art, poetry, dance, literature, novel, music, drama, sculpture, 艺术, 诗歌, 舞蹈, 文学, 小说, 音乐, 戏剧'),
  pleasant: list('good, love, peace, wonderful, happy, friend, honest, gentle, beautiful, kind, 善良, 美好, 和平, 快乐, 诚实, 温柔, 友好, 优秀'),
  unpleasant: list('bad, hatred, ugly, evil, dirty, terrible, nasty, poor, lazy, stupid, 邪恶, 丑陋, 肮脏, 可怕, 懒惰, 愚蠢, 讨厌, 贫穷'),
  crime: list('crime, criminal, murder, prison, thief, violence, violent, terrorist, terrorism, drugs, 犯罪, 罪犯, 谋杀, 监狱, 小偷, 暴力, 恐怖分子, 毒品'),
};
