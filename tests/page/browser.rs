//! Pages in a headless browser: no errors, no requests, no overflow. Runs where Chromium or Chrome is found.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{made_up, runs};

/// Widths of a telephone and of a desktop.
const WIDTHS: [u32; 2] = [360, 1280];

fn browser() -> Option<PathBuf> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// Runs the browser on a file. Returns its output and its messages.
fn visit(browser: &Path, profile: &Path, file: &Path, more: &[String]) -> (String, String) {
    let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr \
                 --virtual-time-budget=20000 --force-color-profile=srgb";
    let output = Command::new(browser)
        .args(flags.split_whitespace())
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(more)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let [out, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{errors}");
    (out, errors)
}

/// Returns a page that holds another one in a frame of this width, measures it, and lists its requests in its title.
fn frame(html: &str, width: u32) -> String {
    let mut inner = String::new();
    for c in html.chars() {
        match c {
            '&' => inner.push_str("&amp;"),
            '"' => inner.push_str("&quot;"),
            c => inner.push(c),
        }
    }
    let script = "
        const frame = document.querySelector('iframe');
        frame.addEventListener('load', () => {
          const inner = frame.contentDocument, root = inner.scrollingElement;
          const scrolls = e => e.closest('.scroll') || e.closest('svg');
          const wide = [...inner.body.querySelectorAll('*')].filter(e => !scrolls(e) || e.classList.contains('scroll'))
            .filter(e => e.getBoundingClientRect().right > root.clientWidth + 0.5).map(e => e.tagName + '.' + e.className);
          const requests = frame.contentWindow.performance.getEntriesByType('resource').map(e => e.name)
            .filter(name => !name.startsWith('data:'));
          const images = [...inner.images].filter(i => !(i.complete && i.naturalWidth > 0)).length;
          document.title = JSON.stringify({ view: root.clientWidth, page: root.scrollWidth, height: root.scrollHeight,
            wide, requests, images });
        });";
    format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><title>none</title><body style=\"margin:0\">\
         <iframe style=\"border:0;width:{width}px;height:4000px\"></iframe><script>{script}</script>\
         <script>document.querySelector('iframe').srcdoc = document.currentScript.dataset.page</script>"
    )
    .replace(
        "<script>document.querySelector('iframe').srcdoc",
        &format!("<script data-page=\"{inner}\">document.querySelector('iframe').srcdoc"),
    )
}

#[test]
fn browsers_show_pages_without_errors_requests_and_overflow() {
    let Some(browser) = browser() else {
        println!("skipped: neither Chromium nor Chrome is on the path");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let profile = folder.join("profile");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&profile).unwrap();
    let failed = ("failed", runs::lotka_volterra(1).1);
    let hostile = ("hostile", made_up::hostile().html().unwrap());
    let fit = runs::lotka_volterra(1000);
    let pages = [
        fit,
        runs::mixture(),
        runs::darcy(),
        failed,
        made_up::thirty(),
        made_up::field(),
        hostile,
    ];
    for (name, html) in pages {
        std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        for width in WIDTHS {
            let file = folder.join(format!("{name}-{width}.html"));
            std::fs::write(&file, frame(&html, width)).unwrap();
            let picture = folder.join(format!("{name}-{width}.png"));
            let more = [
                "--dump-dom".to_string(),
                format!("--screenshot={}", picture.display()),
                format!("--window-size={},4000", width.max(600)),
            ];
            let (dom, messages) = visit(&browser, &profile, &file, &more);
            check(&format!("{name} at {width}"), &dom, &messages, width);
        }
    }
}

fn check(what: &str, dom: &str, messages: &str, width: u32) {
    let title = dom
        .split_once("<title>")
        .unwrap()
        .1
        .split_once("</title>")
        .unwrap()
        .0;
    let found: serde_json::Value =
        serde_json::from_str(title).unwrap_or_else(|_| panic!("{what}: {title}"));
    assert_eq!(found["view"], width, "{what}: {found}");
    assert_eq!(found["page"], width, "{what} is too wide: {found}");
    for list in ["wide", "requests"] {
        assert!(
            found[list].as_array().is_some_and(Vec::is_empty),
            "{what}: {found}"
        );
    }
    assert_eq!(found["images"], 0, "{what}: an image is broken");
    assert!(!messages.contains("CONSOLE"), "{what}: {messages}");
}
