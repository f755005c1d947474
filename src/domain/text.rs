//! What people write for others to read, as types that hold nothing else: an unfit title cannot be
//! built. The rules of fitness are in [`super::words`].

use super::{
    refusal::{Code, Refusal},
    words,
};

macro_rules! text {
    (
        $(#[$doc:meta])*
        $name:ident = $rule:path, refused as $code:ident at $field:literal: $message:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Reads it from what somebody wrote.
            ///
            /// # Errors
            /// A refusal that says what is fit.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                let refuse = |words::Unfit| Refusal::new(Code::$code, $message).at(&[$field]);
                $rule(text).map(Self).map_err(refuse)
            }

            /// Its text, in composed form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

text!(
    /// An auction's title: one visible line of 1 to 100 characters.
    Title = words::title, refused as InvalidTitle at "title":
    "A title is one line of 1 to 100 characters, with something visible in it and nothing that \
     turns its direction."
);

text!(
    /// An auction's description: plain text of at most 10,000 characters, or none.
    Description = words::description, refused as InvalidDescription at "description":
    "A description is plain text of at most 10,000 characters."
);

text!(
    /// Why somebody did something: 1 to 500 characters, something visible among them.
    Reason = words::reason, refused as InvalidReason at "reason":
    "A reason has 1 to 500 characters, something visible among them."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_composed_and_an_unfit_one_is_refused_at_its_field() {
        assert_eq!(Title::parse(" e\u{301} ").unwrap().as_str(), "é");
        assert_eq!(String::from(Description::parse("").unwrap()), "");
        let refusal = Reason::parse(" ").unwrap_err();
        assert_eq!((refusal.code, refusal.field), (Code::InvalidReason, &["reason"][..]));
        let refusal = Title::parse("a\nb").unwrap_err();
        assert_eq!((refusal.code, refusal.field), (Code::InvalidTitle, &["title"][..]));
        let refusal = Description::parse("\0").unwrap_err();
        assert_eq!((refusal.code, refusal.field), (Code::InvalidDescription, &["description"][..]));
    }
}
