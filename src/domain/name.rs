//! Usernames: which are fit, which are the same, and which read alike.
//!
//! A name is prepared by PRECIS (RFC 8265, UsernameCaseMapped) over NFKC, so that nothing in it is
//! invisible or blank. It is shown as its owner wrote it, in NFC. Two names are the same when they
//! differ in case or width alone, and alike when their skeletons (Unicode TS 39) are equal.

use std::collections::HashSet;

use precis_profiles::{UsernameCaseMapped, precis_core::profile::PrecisFastInvocation};
use unicode_normalization::{
    UnicodeNormalization,
    char::{canonical_combining_class, is_combining_mark},
};
use unicode_security::confusable_detection::skeleton as confusable_skeleton;

/// How many characters a name has, in composed form.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=24;

/// The longest text that is looked at, in characters: a fit name may be typed decomposed.
const LONGEST_TEXT: usize = 128;

/// How many marks may follow one letter: Burmese needs four.
const MOST_MARKS: usize = 4;

/// How many of them may stand right above or below it: a tower of them covers its neighbours.
const MOST_STACKED: usize = 2;

/// Names that would let their bearer pass for the marketplace itself.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "superuser",
    "system",
    "support",
    "helpdesk",
    "customerservice",
    "moderator",
    "operator",
    "official",
    "staff",
    "security",
    "webmaster",
    "postmaster",
    "neighborbid",
    "운영자",
    "운영진",
    "관리자",
    "관리인",
    "고객센터",
    "고객지원",
    "시스템",
    "공식",
];

/// The text cannot be a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

/// A name as it will be shown: in NFC, otherwise as it was written.
///
/// # Errors
/// When it is none: 2 to 24 letters and digits of any script with their marks, underscores,
/// hyphens or dots, with something that stands by itself.
pub fn shown(text: &str) -> Result<String, Unfit> {
    if text.chars().nth(LONGEST_TEXT).is_some() {
        return Err(Unfit);
    }
    let shown: String = text.nfc().collect();
    let prepared: String = text.nfkc().collect();
    // PRECIS lets all of ASCII's punctuation pass.
    let fits = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_fit = LENGTH.contains(&shown.chars().count())
        && prepared.chars().all(|c| fits(c) && !is_joiner(c))
        && prepared.chars().any(char::is_alphanumeric)
        && has_few_marks(&prepared)
        && !prepared.starts_with(is_combining_mark)
        && UsernameCaseMapped::enforce(prepared.as_str()).is_ok();
    if is_fit { Ok(shown) } else { Err(Unfit) }
}

/// A name as somebody typed it to say whose account is meant, in NFC; None when no account can have
/// it. Names were not always as strict as [`shown`].
#[must_use]
pub fn typed(text: &str) -> Option<String> {
    let is_short = text.chars().nth(LONGEST_TEXT).is_none();
    (is_short && !text.contains('\0')).then(|| text.nfc().collect())
}

/// PRECIS lets the joiners pass where a script shapes its letters by them; they are invisible.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether no letter bears more marks than its script needs, nor one that strikes it through.
fn has_few_marks(text: &str) -> bool {
    let (mut marks, mut stacked) = (0, 0);
    text.nfd().all(|c| {
        if !is_combining_mark(c) {
            (marks, stacked) = (0, 0);
            return true;
        }
        let class = canonical_combining_class(c);
        marks += 1;
        stacked += usize::from(matches!(class, BELOW | ABOVE));
        class != OVERLAY && marks <= MOST_MARKS && stacked <= MOST_STACKED
    })
}

/// Classes of combining marks, as Unicode numbers them.
const OVERLAY: u8 = 1;
const BELOW: u8 = 220;
const ABOVE: u8 = 230;

/// What a name is found by, whatever its case and width.
#[must_use]
pub fn key(name: &str) -> String {
    stable(name.nfkc().collect(), |name| folded(name).nfkc().collect())
}

/// What a name reads like: equal for two names that a reader may take for each other, whatever
/// their case. `I`, `l` and `1` read alike, and so do `I` and `i` by their case: the four are one.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let step = |name: &str| {
        let skeleton: String = confusable_skeleton(name).collect();
        let mut letters: Vec<char> = folded(&skeleton).replace('i', "l").chars().collect();
        // Nobody counts how many lines or dots stand in a row.
        letters.dedup_by(|next, last| next == last && matches!(last, '_' | '-' | '.'));
        letters.into_iter().collect()
    };
    stable(name.nfkc().collect(), step)
}

/// Case folding: by way of upper case, which also makes one of `ß` and `ss`, `σ` and `ς`.
fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Takes a step until it changes nothing more.
fn stable(mut name: String, step: impl Fn(&str) -> String) -> String {
    for _ in 0..4 {
        let next = step(&name);
        if next == name {
            break;
        }
        name = next;
    }
    name
}

/// Names that nobody may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedNames(HashSet<String>);

impl ReservedNames {
    /// Those of every marketplace, and `more`.
    #[must_use]
    pub fn with(more: &[String]) -> Self {
        let all = RESERVED.iter().copied().chain(more.iter().map(String::as_str));
        Self(all.map(bare).collect())
    }

    /// Whether a name is one of them, or reads like one.
    #[must_use]
    pub fn hold(&self, name: &str) -> bool {
        // With a number behind it, it still reads as if it were.
        let without_number = name.trim_end_matches(|c: char| c.is_numeric());
        self.0.contains(&bare(name)) || self.0.contains(&bare(without_number))
    }
}

/// The skeleton without what stands between its parts.
fn bare(name: &str) -> String {
    skeleton(name).replace(['_', '-', '.'], "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_any_script_fit_and_are_composed() {
        for (name, fits) in [
            ("민수", true),
            ("mina_92", true),
            ("a.b-c", true),
            ("Ünïcode", true),
            ("ｅｍｍａ", true),
            ("สมศักดิ์", true),
            ("राधिका", true),
            ("ချိုချို", true),
            ("ज़ेंडा", true),
            ("دانيال", true),
            ("Ελένη", true),
            ("李小龙", true),
            ("a", false),
            ("", false),
            ("with space", false),
            ("emoji🙂", false),
            ("a\u{0}b", false),
            ("a\nb", false),
            (&"x".repeat(24), true),
            (&"x".repeat(25), false),
            (&"x".repeat(100_000), false),
            ("<b>", false),
            ("a/b", false),
            ("a@b", false),
            ("--", false),
            ("._.", false),
            ("e\u{301}\u{301}\u{301}\u{301}", false),
            ("\u{301}e", false),
            ("kim\u{335}", false),
        ] {
            assert_eq!(shown(name).is_ok(), fits, "{name:?}");
        }
        // Decomposed, as some keyboards send it.
        let typed = "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}";
        assert_eq!(shown(typed).as_deref(), Ok("민수"));
        assert_eq!(key(typed), key("민수"));
        assert_eq!(shown("Émile").as_deref(), Ok("Émile"));
    }

    #[test]
    fn nothing_in_a_name_is_invisible_or_blank() {
        for c in [
            '\u{3164}',
            '\u{115f}',
            '\u{1160}',
            '\u{ffa0}',
            '\u{2800}',
            '\u{feff}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{202e}',
            '\u{2066}',
            '\u{2028}',
            '\u{2060}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{17b4}',
            '\u{180e}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{a0}',
            '\u{2003}',
            '\u{3000}',
            '\u{85}',
            '\u{7f}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{fffc}',
            '\u{fffd}',
            '\u{e000}',
            '\u{ffff}',
        ] {
            for name in ["emma?", "?emma", "em?ma", "??"] {
                let name = name.replace('?', &c.to_string());
                assert_eq!(shown(&name), Err(Unfit), "{name:?}");
            }
        }
    }

    #[test]
    fn names_that_differ_in_case_or_width_are_the_same() {
        for (one, other) in [
            ("emma", "EMMA"),
            ("emma", "ｅｍｍａ"),
            ("emma", "ＥＭＭＡ"),
            ("straße", "STRASSE"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("\u{212b}ngstr", "ångstr"),
            ("ﬁnn", "finn"),
            ("가나", "\u{1100}\u{1161}\u{1102}\u{1161}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("emma"), key("emmas"));
    }

    #[test]
    fn names_that_read_alike_have_one_skeleton() {
        for (one, other) in [
            ("emma", "еmma"),
            ("emma", "ЕММА"),
            ("Mina", "mіna"),
            ("alice", "aIice"),
            ("alice", "a1ice"),
            ("ALICE", "a1ice"),
            ("olga", "0lga"),
            ("corn", "com"),
            ("nona", "ΝΟΝΑ"),
            ("paypal", "раураl"),
            ("ADMIN", "аdmin"),
            ("x_y", "x__y"),
            ("admin", "АDMІN"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [
            ("emma", "anna"),
            ("민수", "민호"),
            ("민수", "만수"),
            ("user2", "user3"),
            ("a.b", "a-b"),
        ] {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    #[test]
    fn nobody_passes_for_the_marketplace() {
        let reserved = ReservedNames::with(&["Auctioneer".to_owned()]);
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "аdmin",
            "adm1n",
            "ad.min",
            "_admin_",
            "ａｄｍｉｎ",
            "Root",
            "support",
            "supp0rt",
            "NeighborBid",
            "neighbor-bid",
            "운영자",
            "관리자",
            "auctioneer",
            "admin2",
            "운영자1",
        ] {
            assert!(reserved.hold(name), "{name}");
        }
        for name in ["adminton", "admiral", "emma", "운영", "rooted", "supporter"] {
            assert!(!reserved.hold(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_a_fit_name_stays_itself(text in "\\PC{0,30}|.{0,30}") {
            let (key_of, skeleton_of) = (key(&text), skeleton(&text));
            if let Ok(name) = shown(&text) {
                prop_assert_eq!(shown(&name), Ok(name.clone()));
                prop_assert_eq!(&key(&name), &key_of);
                prop_assert_eq!(&key(&key_of), &key_of);
                prop_assert_eq!(&skeleton(&name), &skeleton_of);
                prop_assert_eq!(&skeleton(&skeleton_of), &skeleton_of);
                prop_assert_eq!(&skeleton(&key_of).is_empty(), &false);
            }
        }

        #[test]
        fn letters_of_many_scripts_are_judged(
            text in "[a-zA-Z0-9_.\\-가-힣ᄀ-ᇿㄱ-ㆎＡ-ｚа-яА-Яα-ωΑ-Ω\u{300}-\u{36f}ก-๛ا-ي]{1,26}",
        ) {
            if let Ok(name) = shown(&text) {
                prop_assert_eq!(shown(&name), Ok(name.clone()));
                prop_assert_eq!(key(&name.to_lowercase()), key(&name));
                prop_assert_eq!(key(&key(&name)), key(&name));
                prop_assert_eq!(skeleton(&skeleton(&name)), skeleton(&name));
            }
        }
    }
}
