//! Tests of whole pages: odd charts, empty pages, contradictions, unwritable files.

use crate::error::{Error, Fault, Result};
use crate::{Chart, Colour, Corner, Field2, Levels, Marker, PALETTE, Page, Palette, Stroke};
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let name = format!("pullback-plot-{name}-{}", std::process::id());
    std::env::temp_dir().join(name)
}

fn saved(chart: Chart, name: &str) -> Result<[PathBuf; 2]> {
    let folder = folder(name);
    let page = Page::new(1).chart(chart).chart_size(160, 120);
    let saved = page.save(&folder.join("figure0.5"));
    std::fs::remove_dir_all(folder).ok();
    saved
}

/// Charts with degenerate data, ranges and fields.
fn odd_charts() -> Vec<Chart> {
    let wild = [
        [0.0, 1e300],
        [f64::NAN, 1.0],
        [-1e308, f64::INFINITY],
        [1.0, -2.0],
    ];
    let line = |chart: Chart| chart.line("wild", &wild, Stroke::dashed(PALETTE[0]));
    let holes = Field2::sample([0.0, 1.0], [0.0, 2.0], [3, 2], |x, y| (x - y).ln());
    let kinds = [(Colour::GREY, "none"), (Colour::WHITE, "some")];
    let plain = || Chart::new("");
    vec![
        plain(),
        plain().log_x().log_y().equal_axes(),
        line(plain()),
        line(plain().log_x().log_y().legend(Corner::Outside)),
        line(plain().x_range(1.0, 1.0).y_range(f64::NAN, 0.0)),
        plain().path("one", &[[2.0, 2.0]], PALETTE[1]).equal_axes(),
        plain()
            .path("none", &[], PALETTE[1])
            .band("", &[], PALETTE[2]),
        plain().bars("none", &[0.0], &[], PALETTE[3]).log_y(),
        plain().heat(holes.clone(), Palette::Sequential).log_y(),
        plain()
            .heat(holes.clone(), Palette::Sequential)
            .colour_range(f64::NAN, 1.0),
        plain().contours(holes.clone(), Levels::Count(3)),
        plain().categories("kinds", holes, &kinds),
        plain().heat(
            Field2::sample([0.0, 1.0], [0.0, 1.0], [0, 4], |_, _| 0.0),
            Palette::Diverging,
        ),
        plain()
            .markers("far", &[[1e300, 0.0]], PALETTE[4], Marker::Star)
            .x_range(0.0, 1.0),
    ]
}

#[test]
fn whole_ticks_have_no_fractions() {
    let svg = |chart: Chart| {
        let points = [[0.0, 10.0], [1.0, 20.0]];
        let chart = chart.line("", &points, Stroke::solid(PALETTE[0]));
        Page::new(1)
            .chart(chart)
            .chart_size(320, 240)
            .svg()
            .unwrap()
    };
    let halves = |svg: &str| svg.contains("\n0.2\n") || svg.contains("\n0.5\n");
    assert!(halves(&svg(Chart::new(""))));
    let whole = svg(Chart::new("").whole_x());
    assert!(!halves(&whole) && whole.contains("\n1\n"));
}

#[test]
fn a_fine_field_is_one_image_in_an_svg() {
    let field = |n| Field2::sample([0.0, 1.0], [0.0, 1.0], [n, n], |x, y| x - y);
    let svg = |n| {
        let chart = Chart::new("").heat(field(n), Palette::Diverging);
        Page::new(1).chart(chart).svg().unwrap()
    };
    assert!(!svg(10).contains("<image "));
    let fine = svg(200);
    assert_eq!(fine.matches("<image ").count(), 1);
    // The image lies on the background, and beneath the frame and its labels.
    let (image, text) = (fine.find("<image "), fine.find("<text "));
    assert!(fine.find("<rect ") < image && image < text);
    // 40,000 cells are far shorter as an image than as rectangles.
    assert!(fine.len() < 200_000, "{}", fine.len());
}

#[test]
fn odd_charts_are_drawn() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = folder("odd");
    let page = Page::new(4).chart_size(120, 120).title("odd").lettered();
    let page = odd_charts().into_iter().fold(page, Page::chart);
    let [png, svg] = page.save(&folder.join("deep").join("odd"))?;
    assert!(std::fs::metadata(png)?.len() > 1000);
    let text = std::fs::read_to_string(svg)?;
    assert!(text.starts_with("<svg width=\"480\"") && text.ends_with("</svg>\n"));
    assert!(!text.contains("NaN") && !text.contains("inf"));
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[test]
fn a_given_colour_range_replaces_that_of_the_field() {
    let field = Field2::sample([0.0, 1.0], [0.0, 1.0], [2, 2], |x, _| x);
    let span = |chart: Chart, palette| chart.colour_span(&field, palette);
    let plain = || Chart::new("");
    let given = plain().colour_range(3.0, -1.0);
    assert_eq!(span(plain(), Palette::Sequential), [0.25, 0.75]);
    assert_eq!(span(given.clone(), Palette::Sequential), [-1.0, 3.0]);
    assert_eq!(span(given, Palette::Diverging), [-3.0, 3.0]);
    let endless = plain().colour_range(0.0, f64::INFINITY);
    assert_eq!(span(endless, Palette::Sequential), [0.25, 0.75]);
}

#[test]
fn an_empty_page_is_still_a_picture() {
    let folder = folder("empty");
    assert!(Page::new(0).save(&folder.join("empty")).is_ok());
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn endings_are_appended_to_the_stem() -> Result<()> {
    let [png, svg] = saved(Chart::new("dot"), "stem")?;
    assert!(png.ends_with("figure0.5.png") && svg.ends_with("figure0.5.svg"));
    Ok(())
}

#[test]
fn contradictions_are_errors_that_name_the_chart() {
    let bars = Chart::new("the bars").bars("", &[0.0, 1.0], &[1.0, 2.0], PALETTE[0]);
    let error = saved(bars, "fault").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("figure0.5: chart 'the bars': 2 bars need 3 edges"),
        "{text}"
    );
    let fault = match error {
        Error::Layer { fault, .. } => Some(fault),
        _ => None,
    };
    assert_eq!(fault, Some(Fault::Bars { bars: 2, edges: 2 }));
}

#[test]
fn a_stroke_of_any_width_is_drawn() -> Result<()> {
    let line = [[0.0, 0.0], [1.0, 1.0]];
    let stroke = Stroke::solid(PALETTE[0]).width(1e9);
    saved(Chart::new("wide").line("", &line, stroke), "wide")?;
    Ok(())
}

#[test]
fn control_characters_do_not_reach_the_svg() -> std::result::Result<(), Box<dyn std::error::Error>>
{
    let folder = folder("control");
    let chart = Chart::new("a\0b\u{1b}[1m").labels("x\u{7}", "y\u{ffff}\n");
    let [_, svg] = Page::new(1)
        .title("t\u{8}")
        .chart(chart)
        .save(&folder.join("c"))?;
    let text = std::fs::read_to_string(svg)?;
    let allowed = |c: char| matches!(c, '\n' | '\t' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(allowed) && text.contains("ab[1m"));
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[test]
fn a_failed_write_leaves_no_partial_file() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = folder("behind");
    std::fs::create_dir_all(folder.join("c.png"))?;
    let page = Page::new(1).chart(Chart::new("")).chart_size(160, 120);
    let error = page.save(&folder.join("c")).unwrap_err();
    assert!(!error.to_string().contains("Error("), "{error}");
    let left: Vec<_> = std::fs::read_dir(&folder)?.collect();
    assert_eq!(left.len(), 1, "{left:?}");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Child process of the test below, which limits the size of its files to 4 kB.
#[test]
#[ignore = "run by another test, with a limit on the size of files"]
fn draws_on_a_full_disk() {
    let folder = PathBuf::from(std::env::var_os("PULLBACK_FULL").unwrap_or_default());
    let chart = Chart::new("full").line("", &[[0.0, 0.0], [1.0, 1.0]], Stroke::solid(PALETTE[0]));
    let page = Page::new(1).chart(chart);
    if let Err(error) = page.save(&folder.join("c")) {
        eprintln!("{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_picture_and_is_named()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = folder("full");
    std::fs::create_dir_all(&folder)?;
    let name = "tests::draws_on_a_full_disk";
    let run = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact --ignored --nocapture \"$1\"",
        ])
        .arg(std::env::current_exe()?)
        .arg(name)
        .env("PULLBACK_FULL", &folder)
        .output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        said.contains("File too large") && !said.contains("ImageError"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&folder)?.count(), 0);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
