//! Tests of sparse matrices: products row by row, and DILU by its definition.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::{Bench, Held, SIDES, assert_same, assert_sums, device, in_double, numbers, wide};
use crate::linalg::cuda::device::Buffer;
use crate::linalg::cuda::equations::{Equations, Form, Operand, Vectors};
use crate::linalg::cuda::passes::{Scalar, Width};
use crate::linalg::cuda::sparse::{ByRows, Sparse, Swept};
use crate::linalg::operator::{Operator, Side};
use crate::linalg::sweep_order::Order;
use crate::random;

/// Returns a diagonally dominant matrix whose values and pattern are unsymmetric.
fn matrix(n: usize) -> SparseColMat<usize, f64> {
    let offsets = [1, 5, 17, 40];
    let candidates = (0..n).flat_map(|i| offsets.map(|d| [(i, i + d), (i + d, i)]));
    let pairs: Vec<_> = candidates
        .flatten()
        .filter(|&(i, j)| i.max(j) < n && (i * 7 + j) % 5 != 0)
        .collect();
    let values = random::normal(pairs.len(), 9, 0);
    let off_diagonal = pairs
        .into_iter()
        .zip(values)
        .map(|((i, j), v)| (i, j, 0.3 * v));
    let diagonal = random::uniform(n, (3.0, 5.0), 3).into_iter().enumerate();
    let entries = diagonal.map(|(i, d)| (i, i, d)).chain(off_diagonal);
    Operator::triplets(n, n, entries).to_sparse().unwrap()
}

/// Returns A or Aᵀ as a dense matrix.
fn dense(a: &SparseColMat<usize, f64>, side: Side) -> Mat<f64> {
    let a = a.to_dense();
    match side {
        Side::Plain => a,
        Side::Transpose => a.transpose().to_owned(),
    }
}

/// Returns A x, or |A||x| for `moduli`, in W lanes. Every row is summed in the order of its columns.
fn product<const W: usize>(a: MatRef<'_, f64>, x: &[f64], moduli: bool) -> Vec<f64> {
    let size = |x: f64| if moduli { x.abs() } else { x };
    let row = |i: usize| -> [f64; W] {
        std::array::from_fn(|l| {
            let entries = (0..a.ncols()).filter(|&j| a[(i, j)] != 0.0);
            entries.fold(0.0, |sum, j| {
                sum + size(a[(i, j)]) * size(wide::<_, W>(x)[j][l])
            })
        })
    };
    (0..a.nrows()).flat_map(row).collect()
}

fn products(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

struct Case {
    bench: Bench,
    sparse: Sparse,
    a: Mat<f64>,
    x: Vec<f64>,
    b: Vec<f64>,
    on: [Buffer; 3],
    name: String,
}

impl Case {
    fn new(held: &Held, (n, lanes): (usize, usize), side: Side) -> Self {
        let a = matrix(n);
        let bench = Bench::new(held, n, lanes);
        let [x, b] = [1, 2].map(|k| numbers::<f64>(n * lanes, k));
        Self {
            sparse: Sparse::new(held.device, &Swept::new(ByRows::transposed(a.as_ref()))).unwrap(),
            a: dense(&a, side),
            on: [&x, &b, &x].map(|v| bench.store(v)),
            bench,
            x,
            b,
            name: format!("{side:?} of {n} rows, {lanes} lanes"),
        }
    }
}

fn check_image<const W: usize>(held: &Held, n: usize, side: Side) {
    let case = Case::new(held, (n, W), side);
    let (bench, [on_x, on_b, out]) = (&case.bench, &case.on);
    for scaled in [false, true] {
        bench.forget_sums();
        let operand = Operand {
            address: on_x.address,
            width: Width::Double,
            scaled,
        };
        let vectors = [on_b.address, out.address];
        case.sparse
            .image(&bench.passes, side, operand, vectors)
            .unwrap();
        let mut expected = product::<W>(case.a.as_ref(), &case.x, false);
        let scale = bench.scalar::<W>(Scalar::Scale);
        let numbers = expected.iter_mut().enumerate();
        for (i, x) in numbers.filter(|_| scaled) {
            *x *= scale[i % W].recip();
        }
        let place = format!("image, {}, scaled: {scaled}", case.name);
        assert_same(&bench.load::<f64>(out), &expected, &place);
        let (along, square) = (products(&case.b, &expected), products(&expected, &expected));
        assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &along, 1.0, &place);
        assert_sums::<W>(&bench.scalar(Scalar::SecondSum), &square, 1.0, &place);
    }
}

fn check_residual<const W: usize>(held: &Held, n: usize, side: Side) {
    let case = Case::new(held, (n, W), side);
    let (bench, [on_x, on_b, out]) = (&case.bench, &case.on);
    let (passes, vectors) = (&bench.passes, [on_b.address, out.address]);
    case.sparse
        .residual(passes, side, on_x.address, vectors)
        .unwrap();
    let mut expected = product::<W>(case.a.as_ref(), &case.x, false);
    let both = expected.iter_mut().zip(&case.b);
    both.for_each(|(x, b)| *x = b - *x);
    let place = format!("residual, {}", case.name);
    assert_same(&bench.load::<f64>(out), &expected, &place);
    let square = products(&expected, &expected);
    assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &square, 1.0, &place);

    case.sparse.magnitude(passes, side, on_x.address).unwrap();
    let size = product::<W>(case.a.as_ref(), &case.x, true);
    let square = products(&size, &size);
    assert_sums::<W>(&bench.scalar(Scalar::FirstSum), &square, 1.0, &case.name);
}

/// Checks that (D + L) D⁻¹ (D + U), which has the diagonal of A, maps the result x of the sweeps back to b.
fn check_sweeps<const W: usize>(held: &Held, n: usize, side: Side) {
    let case = Case::new(held, (n, W), side);
    let (bench, [on_x, on_b, _]) = (&case.bench, &case.on);
    let vectors = Vectors {
        b: on_b.address,
        x: on_x.address,
        workspace: &[],
    };
    let order = Order::Corners;
    let form = Form { side, order };
    case.sparse
        .precondition(&bench.passes, form, vectors)
        .unwrap();
    let (a, mut pivots) = (&case.a, Vec::<f64>::new());
    for i in 0..n {
        let updates = (0..i).map(|j| a[(i, j)] * a[(j, i)] / pivots[j]);
        pivots.push(a[(i, i)] - updates.sum::<f64>());
    }
    let half = |lower: bool| {
        Mat::from_fn(n, n, |i, j| match i.cmp(&j) {
            std::cmp::Ordering::Equal => pivots[i],
            order => {
                if order.is_gt() == lower {
                    a[(i, j)]
                } else {
                    0.0
                }
            }
        })
    };
    let x = bench.load::<f64>(on_x);
    let mut y = product::<W>(half(false).as_ref(), &x, false);
    y.iter_mut()
        .enumerate()
        .for_each(|(i, y)| *y /= pivots[i / W]);
    let back = product::<W>(half(true).as_ref(), &y, false);
    for (i, (back, b)) in back.iter().zip(&case.b).enumerate() {
        let off = (back - b).abs();
        assert!(
            off < 1e-12,
            "sweeps, {}: number {i} is off by {off:e}",
            case.name
        );
    }
}

#[test]
fn sparse_products_have_the_bits_of_rows_in_order() {
    let Some(held) = device() else { return };
    for (n, side) in [1, 2, 57, 150]
        .into_iter()
        .flat_map(|n| SIDES.map(|s| (n, s)))
    {
        in_double!(check_image(&held, n, side));
        in_double!(check_residual(&held, n, side));
    }
}

#[test]
fn sparse_sweeps_invert_what_dilu_is() {
    let Some(held) = device() else { return };
    for (n, side) in [1, 2, 57, 150]
        .into_iter()
        .flat_map(|n| SIDES.map(|s| (n, s)))
    {
        in_double!(check_sweeps(&held, n, side));
    }
}
