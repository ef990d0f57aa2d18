// What names of classes, ids and roles say about an element: boilerplate of a kind, or the page's main part. Layer: data.
// Names are cut into words (`relatedPosts-list` → related, posts, list), so that `header` is not found in `cheaderx` and
// `commentary` is no comment. The words are those that content systems and themes use; none was taken from a single page.

import type { Element } from './page-tree.ts';

/** Kinds of boilerplate that names tell. `comments` are kept on demand. */
export type Hint = 'main' | 'comments' | 'boilerplate' | 'meta' | 'caption' | 'lead' | undefined;

/** A word that begins so is boilerplate wherever it stands. */
const BOILERPLATE = new RegExp(
  '^(?:' + [
    'share',
    'sharing',
    'sharedaddy',
    'sharebar',
    'shareit',
    'social(?!ist|ism|ly)',
    'addthis',
    'addtoany',
    'a2a',
    'sociable',
    'shariff',
    'jp-relatedposts', // sharing
    'related',
    'recommend',
    'recommended',
    'recirc',
    'readmore',
    'morestories',
    'mostread',
    'mostpopular',
    'popular',
    'trending',
    'outbrain',
    'taboola',
    'zergnet',
    'yarpp',
    'nextprev',
    'prevnext',
    'teaser',
    'upnext', // related
    'newsletter',
    'subscribe',
    'subscription',
    'signup',
    'signin',
    'login',
    'paywall',
    'donate',
    'donation',
    'optin',
    'mailchimp',
    'whatsapp', // calls
    'promo',
    'advert',
    'advertisement',
    'adsbygoogle',
    'adslot',
    'adunit',
    'adbox',
    'banner',
    'sponsor',
    'dfp',
    'gpt', // advertising
    'cookie',
    'consent',
    'gdpr',
    'onetrust',
    'popup',
    'modal',
    'lightbox',
    'tooltip',
    'overlay',
    'toast', // over the page
    'nav',
    'navi',
    'navbar',
    'navigation',
    'navbox',
    'menu',
    'submenu',
    'breadcrumb',
    'breadcrumbs',
    'pagination',
    'paginator',
    'pager',
    'paging',
    'skiplink',
    'skip',
    'sitemap',
    'toolbar',
    'tabbar',
    'dropdown', // ways about
    'sidebar',
    'rail',
    'widget',
    'footer',
    'foot',
    'masthead',
    'colophon',
    'copyright',
    'legal',
    'disclaimer', // frame
    'tags',
    'taglist',
    'tagcloud',
    'hashtags',
    'postmeta',
    'entrymeta',
    'metadata',
    'rating',
    'vote',
    'voting',
    'likes',
    'print',
    'permalink',
    'feedback',
    'poll',
    'quiz', // about the text
    'authorbox',
    'authorbio',
    'aboutauthor',
    'biography', // about its author
    'hidden',
    'hide',
    'invisible',
    'visually',
    'screenreader',
    'sr',
    'noprint',
    'mfp',
    'nocontent',
  ].join('|') + ')s?$',
  'u',
);
const COMMENTS = /^(?:comments?|commentlist|commentarea|commentsarea|comment(?:section|s?wrap(?:per)?|s?form|body|content|thread)|respond|replies|disqus|livefyre|trackbacks?|pingbacks?|webmentions?|fb(?:comments)|kommentare?|commentaires?|comentarios?|guestbook|discussion|coral)$/u;
/** Lines about the article: who, when, how many read it. Left out of the text, read for the metadata. */
const META = /^(?:byline|dateline|timestamp|published|pubdate|posted|kicker|eyebrow|readtime|postmeta|entrymeta|meta|postinfo|articleinfo|author|authors|date|category|categories)$/u;
/** Text of pictures, not of the page. */
const CAPTION = /^(?:(?:wp|photo|image|img|news|media|fig|picture|video)?captions?|(?:photo|image|picture)?credits?|gallery|slideshow|carousel|slider|slides|swiper)$/u;
/** The paragraph before the text, which often stands outside of it. */
const LEAD = /^(?:lead|lede|intro|introduction|excerpt|summary|standfirst|subtitle|subheadline|subhead|dek|deck|sommario|vorspann|chapeau|entradilla|bajada|abstract|ingress|anriss|daodu|zhaiyao)$/u;
const MAIN_WORD = /^(?:article|post|entry|story|content|contents|main|body|text|blog|page|hentry|news|markdown|prose|document|rich|richtext|articlebody|postbody|entrycontent|postcontent|articlecontent|maincontent|storybody|articletext|bodytext|articlecopy|wysiwyg|mw|parser|zhengwen)$/u;
const ROLES: Readonly<Record<string, Hint>> = {
  navigation: 'boilerplate',
  banner: 'boilerplate',
  contentinfo: 'boilerplate',
  complementary: 'boilerplate',
  search: 'boilerplate',
  dialog: 'boilerplate',
  alertdialog: 'boilerplate',
  menu: 'boilerplate',
  menubar: 'boilerplate',
  toolbar: 'boilerplate',
  tablist: 'boilerplate',
  main: 'main',
  article: 'main',
};
/** After these, a word says what the element has or lacks, not what it is. */
const NEGATIONS = new Set(['has', 'no', 'with', 'without', 'not', 'is', 'show', 'open', 'enable', 'enabled', 'below', 'after', 'before']);
/** Elements with at most so many words in their names are read; longer ones are utility classes. */
const MAX_WORDS = 40;

/** Themes put an article's tags and categories among its classes, as slugs: they are about its subject. */
const SLUG = /(?:^|\s)(?:tag|category|cat|post_tag|type|status|format|postid|parent|author|archive)-\S+/g;
const words = (name: string): string[] => name.replace(SLUG, ' ').replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().split(/[^a-z0-9\u0080-\uffff]+/);

/** Hints of an element's role, classes and id. Deterministic; each distinct name is read once a page with {@link HintReader}. */
export class HintReader {
  readonly #known = new Map<string, Hint>();

  read({ tag, attributes }: Element): Hint {
    const role = attributes['role'];
    if (role !== undefined) {
      const hint = ROLES[role];
      if (hint !== undefined && !(hint === 'boilerplate' && (tag === 'article' || tag === 'main'))) return hint;
    }
    const name = attributes['class'] === undefined ? attributes['id'] : attributes['id'] === undefined ? attributes['class'] : `${attributes['class']} ${attributes['id']}`;
    if (name === undefined || name === '' || tag === 'body') return undefined;
    let hint = this.#known.get(name);
    if (hint === undefined && !this.#known.has(name)) {
      hint = hintOf(name);
      this.#known.set(name, hint);
    }
    return hint;
  }
}

/** The strongest word wins: comments, then boilerplate, captions, lines about the article, leads, main. */
function hintOf(name: string): Hint {
  const parts = words(name.slice(0, 1000)).slice(0, MAX_WORDS);
  let found: Hint;
  for (let i = 0; i < parts.length; i++) {
    const word = parts[i]!;
    if (word.length < 2 || (i > 0 && NEGATIONS.has(parts[i - 1]!))) continue;
    if (COMMENTS.test(word)) return 'comments';
    if (BOILERPLATE.test(word)) found = 'boilerplate';
    else if (found === 'boilerplate') continue;
    else if (CAPTION.test(word)) found = 'caption';
    else if (found !== 'caption' && META.test(word)) found = 'meta';
    else if ((found === undefined || found === 'main') && LEAD.test(word)) found = 'lead';
    else if (found === undefined && MAIN_WORD.test(word)) found = 'main';
  }
  return found;
}
