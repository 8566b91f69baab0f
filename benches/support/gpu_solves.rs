//! Whole solves on the device and on the cores of the machine, each put back into its equations.

use std::time::Instant;

use pullback::faer::Mat;
use pullback::linalg::internals::CudaKernels;
use pullback::linalg::{Cuda, Precision, StencilSolver, SweepOrder};
use pullback::loss::Divergence;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::{Backend, Cpu, Descent, Error, Operator, Result, Side};

use super::budget::{Bench, Measured, gap, residual};
use super::lorenz::Problem;

/// Relative residuals at which solves end.
pub(crate) const TOLERANCE: f64 = 1e-8;

/// What an independent product may find; its rounding errors are others.
const FOUND: f64 = 1.01 * TOLERANCE;

/// What solutions of two backends may differ by, in so many columns to this tolerance.
const APART: f64 = 1e-7;
const COMPARED: usize = 8;
const CLOSER: f64 = 1e-10;

/// Where recoveries begin.
const START: [f64; 3] = [8.0, 22.0, 1.5];

/// A matrix and right-hand sides.
pub(crate) struct Posed {
    name: &'static str,
    /// Where the columns come from the memory of the processor and go back to it.
    to_and_fro: &'static str,
    n: usize,
    a: Box<dyn Fn() -> Operator<'static>>,
    side: Side,
    pub(crate) b: Mat<f64>,
}

/// The Lorenz problem with its stationary density, and the seconds that both took.
pub(crate) struct Stationary {
    problem: Problem,
    rho: Vec<f64>,
    n: usize,
    pub(crate) seconds: f64,
}

impl Stationary {
    pub(crate) fn new(bench: &Bench, cuda: &mut Cuda, n: usize) -> Result<Self> {
        (cuda.cpu.krylov_tolerance, cuda.cpu.cycles) = (TOLERANCE, Precision::Auto);
        cuda.sweeps = SweepOrder::Auto;
        let begin = Instant::now();
        let problem = Problem::new(n)?;
        let made = begin.elapsed().as_secs_f64();
        let (rho, stats) = problem.stationary(cuda)?;
        let seconds = begin.elapsed().as_secs_f64();
        bench.say(format!(
            "{n}³: generator {made:.2} s, density {:.2} s ({} iterations of one column)",
            seconds - made,
            stats.iterations
        ));
        Ok(Self {
            problem,
            rho,
            n,
            seconds,
        })
    }

    pub(crate) fn adjoints(&self, columns: usize) -> Posed {
        let generator = self.problem.generator.clone();
        Posed {
            name: "adjoints",
            to_and_fro: "adjoints-to-and-fro",
            n: self.n,
            a: Box::new(move || Operator::stencil(generator.clone())),
            side: Side::Transpose,
            b: self.problem.adjoint_sides(&self.rho, columns),
        }
    }

    pub(crate) fn laplacian(&self, columns: usize) -> Posed {
        let laplacian = self.problem.laplacian(&self.rho);
        Posed {
            name: "w2-laplacian",
            to_and_fro: "w2-laplacian-to-and-fro",
            n: self.n,
            a: Box::new(move || Operator::stencil(laplacian.clone()).positive_definite()),
            side: Side::Plain,
            b: self.problem.potential_sides(&self.rho, columns),
        }
    }
}

impl Posed {
    pub(crate) fn is_adjoint(&self) -> bool {
        self.side == Side::Transpose
    }

    fn measured<'m>(&self, by: &'m str, problem: &'m str, found: (usize, f64)) -> Measured<'m> {
        Measured {
            by,
            problem,
            cells: self.n,
            columns: self.b.ncols(),
            iterations: found.0,
            residual: found.1,
        }
    }
}

/// Solutions by the device: the first solve and the second with columns that come and go, and one with columns that are
/// there already, as with the peers; that is what counts.
pub(crate) fn on_the_device(
    bench: &mut Bench,
    cuda: &mut Cuda,
    posed: &Posed,
    (cycles, sweeps): (Precision, SweepOrder),
) -> Result<()> {
    cuda.cpu.krylov_tolerance = TOLERANCE;
    (cuda.cpu.cycles, cuda.sweeps) = (cycles, sweeps);
    let by = match (cycles, sweeps) {
        (Precision::Single, _) => "pullback-cuda-single",
        (_, SweepOrder::Auto) => "pullback-cuda",
        (_, SweepOrder::Corners) => "pullback-cuda-corners",
        (_, SweepOrder::RedBlack) => "pullback-cuda-red-black",
    };
    let (name, a, b) = (posed.name, (posed.a)(), &posed.b);
    let place = format!("{name} at {}³ × {}, {by}", posed.n, b.ncols());
    // The generator has a gauge, and the Laplacian is positive definite.
    let form = (!posed.is_adjoint(), posed.is_adjoint());
    let shape = [posed.n as u32; 3];
    let launches = CudaKernels::launches_a_step(shape, form, (b.ncols(), sweeps));
    bench.say(format!("{place}: {launches} launches a step"));
    let begin = Instant::now();
    let factor = cuda.factor((posed.a)())?;
    CudaKernels::wait(cuda)?;
    bench.say(format!(
        "{place}: hierarchy {:.3} s",
        begin.elapsed().as_secs_f64()
    ));
    for run in ["first", "second"] {
        let mut x = b.clone();
        let begin = Instant::now();
        let stats = factor.solve(posed.side, None, x.as_mut())?;
        let seconds = begin.elapsed().as_secs_f64();
        bench.say(format!(
            "{place}: {run} solve {seconds:.3} s with its transfers, {} iterations by {}",
            stats.iterations, stats.method
        ));
        if run == "second" {
            let found = (stats.iterations, residual(&a, posed.side, (&x, b)));
            bench.report(&posed.measured(by, posed.to_and_fro, found), seconds);
        }
    }
    let sent = CudaKernels::send(cuda, b.as_ref())?;
    let begin = Instant::now();
    let (x, stats) = factor.solve_batch(posed.side, None, sent)?;
    CudaKernels::wait(cuda)?;
    let seconds = begin.elapsed().as_secs_f64();
    let x = x.fetch()?;
    let off = residual(&a, posed.side, (&x, b));
    bench.report(&posed.measured(by, name, (stats.iterations, off)), seconds);
    bench.check(&format!("{place}: residual"), off, FOUND);
    if !stats.method.to_string().contains("GPU") {
        let elsewhere = format!("{place}: solved by {}", stats.method);
        bench.check(&elsewhere, f64::INFINITY, 0.0);
    }
    Ok(())
}

fn multigrid(tolerance: f64) -> Cpu {
    let mut cpu = Cpu::default();
    cpu.stencils = StencilSolver::Multigrid;
    cpu.krylov_tolerance = tolerance;
    cpu
}

/// Solutions by the cores, for so many columns; the faster of two solves counts.
pub(crate) fn on_the_cores(bench: &mut Bench, posed: &Posed, columns: usize) -> Result<()> {
    let cpu = multigrid(TOLERANCE);
    let (n, a) = (posed.n, (posed.a)());
    let b = posed.b.subcols(0, columns).to_owned();
    bench.say(format!("{} at {n}³ × {columns} on the cores", posed.name));
    let factor = cpu.factor((posed.a)())?;
    let (mut x, mut best, mut iterations) = (b.clone(), f64::INFINITY, 0);
    for _ in 0..2 {
        x.copy_from(&b);
        let begin = Instant::now();
        iterations = factor.solve(posed.side, None, x.as_mut())?.iterations;
        let seconds = begin.elapsed().as_secs_f64();
        best = best.min(seconds);
        if !bench.has_time("a second solve on the cores", seconds) {
            break;
        }
    }
    let off = residual(&a, posed.side, (&x, &b));
    let mut measured = posed.measured("pullback-cpu", posed.name, (iterations, off));
    measured.columns = columns;
    bench.report(&measured, best);
    Ok(())
}

/// How far solutions of device and cores are apart in some columns. At the tolerance of the other solves adjoints are
/// as uncertain as what is looked for here.
pub(crate) fn compare(bench: &mut Bench, cuda: &mut Cuda, posed: &Posed) -> Result<()> {
    (cuda.cpu.krylov_tolerance, cuda.cpu.cycles) = (CLOSER, Precision::Auto);
    cuda.sweeps = SweepOrder::Auto;
    let cpu = multigrid(CLOSER);
    let b = posed.b.subcols(0, COMPARED.min(posed.b.ncols())).to_owned();
    let (mut x, mut y) = (b.clone(), b);
    cuda.factor((posed.a)())?
        .solve(posed.side, None, x.as_mut())?;
    cpu.factor((posed.a)())?
        .solve(posed.side, None, y.as_mut())?;
    let what = format!(
        "{} at {}³: solutions of device and cores apart, to {CLOSER:.0e}",
        posed.name, posed.n
    );
    bench.check(&what, gap(&x, &y), APART);
    Ok(())
}

/// The parameters of the Lorenz equations from their density, by KL with Fisher-Rao.
pub(crate) fn recovery(bench: &mut Bench, cuda: &mut Cuda, n: usize) -> Result<()> {
    bench.say(format!("a recovery at {n}³ on the device"));
    (cuda.cpu.krylov_tolerance, cuda.cpu.cycles) =
        (Cpu::default().krylov_tolerance, Precision::Auto);
    cuda.sweeps = SweepOrder::Auto;
    let model = InvariantMeasure::new(&Problem::new(n)?.grid, Lorenz)?;
    let data = model.density(&Lorenz::CLASSIC, cuda)?;
    let loss = Divergence::kullback_leibler(model.grid(), data)?;
    let begin = Instant::now();
    let report = Descent::new(&model, &loss)
        .backend(cuda)
        .run(&START, |_| bench.say("step"))?;
    let seconds = begin.elapsed().as_secs_f64();
    let off = report.theta.iter().zip(Lorenz::CLASSIC);
    let off = off.map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
    let measured = Measured {
        by: "pullback-cuda",
        problem: "recovery",
        cells: n,
        columns: 1,
        iterations: report.iterations(),
        residual: off,
    };
    bench.report(&measured, seconds);
    Ok(())
}

/// Says that something did not fit the memory, which is no failure.
pub(crate) fn unless_too_large(bench: &Bench, what: &str, done: Result<()>) -> Result<()> {
    match done {
        Err(e @ Error::OutOfMemory { .. }) => {
            bench.say(format!("skipped: {what}: {e}"));
            Ok(())
        }
        other => other,
    }
}
