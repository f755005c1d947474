//! A first look at a text, which reads each byte once: how many tokens it has, and how deep its
//! brackets nest. What is beyond its bounds never reaches a parser.

/// What a text is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Names, numbers, strings, punctuation and comments. White space is none.
    pub tokens: usize,
    /// The deepest nesting of brackets outside of strings and comments.
    pub nesting: usize,
}

/// Looks through a text.
pub fn scan(text: &str) -> Scan {
    let bytes = text.as_bytes();
    let (mut scan, mut depth, mut at) = (Scan::default(), 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'{' | b'[' | b'(' => {
                depth += 1;
                scan.nesting = scan.nesting.max(depth);
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'#' => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b'"' if rest.starts_with(b"\"\"\"") => block_string(rest),
            b'"' => string(rest),
            _ if is_of_word(byte) => rest.iter().take_while(|byte| is_of_word(**byte)).count(),
            _ => 1,
        };
        scan.tokens += 1;
        at += length;
    }
    scan
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How long the string is that `text` begins with, quotes included.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    text.len()
}

/// How long the block string is that `text` begins with, quotes included.
fn block_string(text: &[u8]) -> usize {
    let mut at = 3;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_brackets_are_counted_outside_of_strings_and_comments() {
        for (text, tokens, nesting) in [
            ("", 0, 0),
            ("{ a }", 3, 1),
            ("{a(b:[1])}", 10, 3),
            ("\u{feff}{ a }", 6, 1),
            ("{ ...f }", 6, 1),
            ("# {{{{\n{ a } # [", 5, 1),
            (r#"{ a(b: "{\"{") }"#, 8, 2),
            (r#"{ a(b: """{ \""" {""") }"#, 8, 2),
            ("{ a(b: \"{", 6, 2),
            ("{ a(b: \"\"\"{", 6, 2),
            ("}}}{", 4, 1),
            (",,,,", 4, 0),
            ("-1.5e3", 4, 0),
        ] {
            assert_eq!(scan(text), Scan { tokens, nesting }, "{text}");
        }
    }
}
