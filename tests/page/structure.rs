//! Pages are well-formed, need no network, and are equal for equal runs.

use std::collections::BTreeSet;

use pullback::page::{Page, PageError};
use roxmltree::{Document, Node, ParsingOptions};

use crate::{content, made_up, runs};

/// Parses a page as XML, which is stricter than HTML.
pub(crate) fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(html, options).unwrap()
}

fn all_pages() -> Vec<(&'static str, String)> {
    vec![
        runs::lotka_volterra(1000),
        runs::mixture(),
        runs::darcy(),
        made_up::thirty(),
        made_up::field(),
        content::seen(),
        ("hostile", made_up::hostile().html().unwrap()),
    ]
}

fn elements<'a>(document: &'a Document<'_>) -> impl Iterator<Item = Node<'a, 'a>> {
    let root: Node<'a, 'a> = document.root();
    root.descendants().filter(Node::is_element)
}

#[test]
fn pages_are_well_formed_and_stand_alone() {
    for (name, html) in all_pages() {
        let document = parsed(&html);
        let mut ids = BTreeSet::new();
        for node in document.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            assert_ne!(tag, "script", "{name}");
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(!key.starts_with("on"), "{name}: {key}");
                match key {
                    "id" => assert!(ids.insert(value.to_string()), "{name}: two of {value}"),
                    "href" => assert!(
                        value.starts_with('#') || value.starts_with("data:image/png"),
                        "{name}"
                    ),
                    "src" => assert!(value.starts_with("data:image/svg"), "{name}"),
                    _ => {}
                }
            }
        }
        // Links lead to sections that exist.
        let links = document.descendants().filter_map(|n| n.attribute("href"));
        for link in links.filter_map(|link| link.strip_prefix('#')) {
            assert!(ids.contains(link), "{name}: #{link}");
        }
        let rest = html.replace("http://www.w3.org/2000/svg", "");
        for word in ["http:", "https:", "@import", "url("] {
            assert!(!rest.contains(word), "{name}: {word}");
        }
        assert!(html.len() < 1_500_000, "{name} has {} bytes", html.len());
    }
}

#[test]
fn headings_are_in_order_and_tables_and_pictures_are_described() {
    for (name, html) in all_pages() {
        let document = parsed(&html);
        let mut level = 0;
        for node in elements(&document) {
            match node.tag_name().name() {
                tag @ ("h1" | "h2" | "h3") => {
                    let next: i32 = tag[1..].parse().unwrap();
                    assert!(next <= level + 1, "{name}: {tag} after h{level}");
                    level = next;
                }
                "table" => {
                    let first = node.first_element_child().unwrap();
                    assert_eq!(first.tag_name().name(), "caption", "{name}");
                }
                "svg" => {
                    let first = node.first_element_child().unwrap();
                    assert_eq!(first.tag_name().name(), "title", "{name}");
                    assert_eq!(node.attribute("role"), Some("img"), "{name}");
                }
                "img" => assert!(node.attribute("alt").is_some(), "{name}"),
                _ => {}
            }
        }
        let count = |tag: &str| {
            elements(&document)
                .filter(|n| n.tag_name().name() == tag)
                .count()
        };
        assert_eq!(
            (count("h1"), count("main"), count("title") > 1),
            (1, 1, true),
            "{name}"
        );
    }
}

#[test]
fn short_forms_are_parts_without_identifiers() {
    let iterates = vec![vec![1.0, 2.0], vec![1.5, 2.5]];
    let page = Page::new(made_up::summary(&iterates, true));
    let page = page.accuracy(Ok(made_up::accuracy(&iterates[1], &[], &[])));
    for html in [page.short().unwrap(), made_up::hostile().short().unwrap()] {
        let document = parsed(&html);
        assert_eq!(
            document.root_element().attribute("class"),
            Some("pullback short")
        );
        assert!(elements(&document).all(|n| n.attribute("id").is_none()));
        // The style applies to the part only.
        let style = elements(&document)
            .find(|n| n.tag_name().name() == "style")
            .unwrap();
        let rules = style
            .text()
            .unwrap()
            .lines()
            .filter(|l| l.contains('{') && !l.starts_with('@'));
        assert!(
            rules
                .into_iter()
                .all(|rule| rule.trim_start().starts_with(".pullback"))
        );
    }
}

/// Replaces the texts of all elements of the class `seconds`.
fn without_times(html: &str) -> String {
    let mut parts = html.split("seconds\">");
    let mut text = parts.next().unwrap().to_string();
    for part in parts {
        text += part.split_once('<').unwrap().1;
    }
    text
}

#[test]
fn equal_runs_have_equal_pages() {
    let [one, two] = [(); 2].map(|()| runs::lotka_volterra(1000).1);
    assert_eq!(without_times(&one), without_times(&two));
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("pullback-page-{}", std::process::id()));
    let page = made_up::hostile();
    let error = page
        .write(folder.join("absent").join("run.html"))
        .unwrap_err();
    assert!(
        matches!(error.of(), Some(PageError::Write { .. })),
        "{error}"
    );
    std::fs::create_dir_all(&folder).unwrap();
    page.write(folder.join("run.html")).unwrap();
    let names = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["run.html"]);
    assert_eq!(
        std::fs::read_to_string(folder.join("run.html")).unwrap(),
        page.html().unwrap()
    );
    std::fs::remove_dir_all(folder).unwrap();
}
