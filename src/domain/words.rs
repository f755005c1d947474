//! What people write for others to read: titles, descriptions, reasons. All of it is plain text in
//! composed form (NFC), and a title is one line with something visible in it.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

/// The text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

/// How many characters a title has at most.
const LONGEST_TITLE: usize = 100;

/// How many characters a description has at most.
const LONGEST_DESCRIPTION: usize = 10_000;

/// How many characters a reason or a note has at most.
const LONGEST_REASON: usize = 500;

/// A title: one line of 1 to 100 characters, something visible among them, and nothing that turns
/// the direction of what stands beside it.
///
/// # Errors
/// When it is not.
pub fn title(text: &str) -> Result<String, Unfit> {
    let title: String = text.trim().nfc().collect();
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let fits = !is_longer(&title, LONGEST_TITLE)
        && !title.chars().any(|c| breaks(c) || is_bidi_control(c))
        && is_visible(&title);
    if fits { Ok(title) } else { Err(Unfit) }
}

/// A description: lines of at most 10,000 characters in all, or nothing.
///
/// # Errors
/// When it is not.
pub fn description(text: &str) -> Result<String, Unfit> {
    lines(text, LONGEST_DESCRIPTION)
}

/// A reason or a note: lines of 1 to 500 characters in all, something visible among them.
///
/// # Errors
/// When it is not.
pub fn reason(text: &str) -> Result<String, Unfit> {
    lines(text, LONGEST_REASON).and_then(|reason| match is_visible(&reason) {
        true => Ok(reason),
        false => Err(Unfit),
    })
}

fn lines(text: &str, most: usize) -> Result<String, Unfit> {
    let text: String = text.trim().nfc().collect();
    let unfit = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if is_longer(&text, most) || text.chars().any(unfit) {
        return Err(Unfit);
    }
    Ok(text)
}

fn is_longer(text: &str, most: usize) -> bool {
    text.chars().nth(most).is_some()
}

/// Unicode's property Bidi_Control.
fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether anything in it can be seen. A skeleton leaves out what Unicode calls ignorable: fillers,
/// zero-width characters, joiners and selectors.
fn is_visible(text: &str) -> bool {
    let is_blank = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || is_combining_mark(c)
            // The empty Braille pattern, marks of annotations, and the stand-in for an object.
            || matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffc}' | '\u{1d159}')
    };
    !skeleton(text).all(is_blank)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_title_is_one_visible_line() {
        for (text, fits) in [
            ("황동 스탠드 램프", true),
            ("  A lamp  ", true),
            ("👨\u{200d}👩\u{200d}👧 family tent", true),
            ("❤\u{fe0f}", true),
            ("مصباح", true),
            (&"x".repeat(100), true),
            (&"가".repeat(100), true),
            (&"x".repeat(101), false),
            ("", false),
            ("   ", false),
            ("\u{200b}", false),
            ("\u{2800}", false),
            ("\u{feff}", false),
            ("\u{3164}\u{3164}", false),
            ("\u{200d}\u{fe0f}\u{ad}", false),
            ("\u{a0}\u{3000}\u{2003}", false),
            ("\u{301}", false),
            ("a\u{202e}b", false),
            ("a\u{2066}b", false),
            ("a\u{200f}b", false),
            ("a\u{2028}b", false),
            ("a\u{2029}b", false),
            ("a\nb", false),
            ("a\tb", false),
            ("a\u{85}b", false),
            ("a\0b", false),
        ] {
            assert_eq!(title(text).is_ok(), fits, "{text:?}");
        }
        assert_eq!(title(" e\u{301} ").as_deref(), Ok("é"));
    }

    #[test]
    fn a_description_may_have_lines_or_be_empty_and_a_reason_says_something() {
        for (text, describes, reasons) in [
            ("", true, false),
            ("\u{200b}", true, false),
            ("a\nb\r\n\tc", true, true),
            ("a\0b", false, false),
            ("\u{7f}", false, false),
            (&"x".repeat(500), true, true),
            (&"x".repeat(501), true, false),
            (&"x".repeat(10_000), true, false),
            (&"x".repeat(10_001), false, false),
        ] {
            assert_eq!(description(text).is_ok(), describes, "{}", text.len());
            assert_eq!(reason(text).is_ok(), reasons, "{}", text.len());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_a_fit_one_stays_itself(text in "\\PC{0,110}|.{0,110}") {
            for check in [title, description, reason] {
                if let Ok(fit) = check(&text) {
                    prop_assert_eq!(check(&fit), Ok(fit.clone()));
                }
            }
        }
    }
}
