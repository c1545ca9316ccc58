//! What the compiler says of mistakes in namespaces, and that it says nothing where there are none.
//!
//! The texts beside the files in `ui/fail` are those of the Rust version that the project is built with;
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn mistakes_in_namespaces_are_named_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
