//! What strangers write never panics, and what parses prints and parses back to itself.

use berth_oci::{Digest, Document, ImageConfig, Platform, Reference};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,300}") {
        let _ = Digest::parse(&text);
        let _ = Platform::parse(&text);
        let _ = Document::parse(text.as_bytes(), &text);
        let _ = ImageConfig::parse(text.as_bytes());
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
            prop_assert_eq!(&Reference::parse(&reference.familiar()).unwrap(), &reference);
        }
    }

    #[test]
    fn wellformed_references_survive_both_spellings(
        domain in prop::option::of("([a-z0-9]{1,5}\\.){1,2}[a-z]{2,3}(:[0-9]{1,5})?|localhost(:[0-9]{1,5})?"),
        path in "[a-z0-9]{1,6}(/[a-z0-9]{1,6}){0,3}/[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}",
        tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
        digest in prop::option::of("[0-9a-f]{64}"),
    ) {
        prop_assume!(!path.starts_with("localhost/"));
        let mut text = domain.map(|d| format!("{d}/")).unwrap_or_default() + &path;
        if let Some(tag) = &tag { text += &format!(":{tag}"); }
        if let Some(digest) = &digest { text += &format!("@sha256:{digest}"); }
        let reference = Reference::parse(&text).unwrap();
        prop_assert_eq!(reference.digest().map(|d| d.hex().to_owned()), digest);
        prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
        prop_assert_eq!(&Reference::parse(&reference.familiar()).unwrap(), &reference);
    }

    #[test]
    fn platforms_print_what_they_parse(os in "linux|windows|darwin", arch in "amd64|arm64|arm|386|s390x|riscv64", v in prop::option::of("v[5-9]")) {
        let text = format!("{os}/{arch}{}", v.map(|v| format!("/{v}")).unwrap_or_default());
        let platform = Platform::parse(&text).unwrap();
        prop_assert_eq!(&Platform::parse(&platform.to_string()).unwrap(), &platform);
        prop_assert_eq!(platform.suits(&platform), Some(0));
    }
}
