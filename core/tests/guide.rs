//! The guide is true: its complete programs are the examples that are compiled, and its links lead somewhere.

use std::{collections::HashSet, fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks of a page that are in that language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&*fence).skip(1);
    blocks
        .by_ref()
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[test]
fn complete_programs_are_the_examples() {
    let page = read("docs/guide/getting-started.md");
    let programs = blocks(&page, "rust,ignore");
    let examples = ["axum", "actix-web", "warp"];
    assert_eq!(programs.len(), examples.len());
    for (program, example) in programs.iter().zip(examples) {
        assert_eq!(
            *program,
            read(&format!("../examples/hello-{example}/src/main.rs")),
            "{example}"
        );
        assert_eq!(
            blocks(&page, "html"),
            [read(&format!("../examples/hello-{example}/index.html"))],
            "{example}"
        );
    }
}

#[test]
fn links_of_pages_are_links_of_rustdoc_too() {
    let links = read("docs/guide/links.txt");
    let known: HashSet<_> = links.lines().filter_map(|line| line.split_once("]: ")).collect();
    let labels: HashSet<_> = known.iter().map(|(label, _)| *label).collect();
    for page in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&page).unwrap();
            for (label, _) in text
                .lines()
                .filter(|line| line.starts_with('['))
                .filter_map(|line| line.split_once("]: "))
            {
                assert!(
                    labels.contains(label),
                    "{}: {label}] is not in links.txt",
                    page.display()
                );
            }
        }
    }
}
