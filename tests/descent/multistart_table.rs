//! Tables of searches: names, and many parameters.

use pullback::Descent;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::L2Misfit;
use pullback::multistart::MultiStart;

/// θⱼ² − (j + 1)², with optima whose parameters are ±1, ±2, …
struct Many(usize);

impl Formula for Many {
    fn dims(&self) -> (usize, usize) {
        (self.0, self.0)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (j, y) in out.iter_mut().enumerate() {
            *y = theta[j] * theta[j] - ((j + 1) * (j + 1)) as f64;
        }
    }
}

#[test]
fn the_table_has_the_names_and_all_parameters() {
    let (curve, loss) = (
        Curve::new(Many(13)),
        L2Misfit::euclidean(vec![0.0; 13]).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let names: Vec<String> = (0..13).map(|j| format!("rate constant {j}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let starts = [[3.0; 13], [-3.0; 13]];
    let search = MultiStart::new(&descent).at(&starts);
    let text = search
        .clone()
        .named(&names)
        .run(|_| ())
        .unwrap()
        .to_string();
    let lines: Vec<&str> = text.lines().collect();
    let line = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
    // The cell below a name ends where the name ends.
    let below = |name: &str| {
        let header = lines[line(name)];
        let end = header.find(name).unwrap() + name.len();
        lines[line(name) + 1]
            .chars()
            .take(header[..end].chars().count())
            .collect::<String>()
    };
    for j in [0, 7, 9, 10, 12] {
        let name = names[j];
        let value: f64 = below(name)
            .split_whitespace()
            .last()
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            (value.abs() - (j + 1) as f64).abs() < 1e-4,
            "{name}\n{text}"
        );
    }
    assert!(line(names[12]) > line(names[9]), "{text}");
    let unnamed = search.run(|_| ()).unwrap().to_string();
    assert!(unnamed.contains(" θ12\n"), "{unnamed}");
    let error = MultiStart::new(&descent)
        .at(&starts)
        .named(&["a"])
        .run(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), "Dimension", "{error}");
}
