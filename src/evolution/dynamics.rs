//! Right-hand sides and initial values, written once for all scalars.

use crate::automatic::{Formula, Scalar};

/// Dynamics ẋ = f(t, x, θ) with the initial value x(t₀) = x₀(θ), of which y = h(t, x, θ) is observed.
///
/// The page of the [module](super) has an example. Only the dimensions, the rate and the initial value must be given. By default
/// x itself is observed, every equation is a rate, and there are no [events](Self::events).
pub trait Dynamics: Send + Sync {
    /// Returns (n, p), the lengths of x and θ.
    fn dims(&self) -> (usize, usize);

    /// Writes f(t, x, θ) to `out`, all n entries.
    ///
    /// Where the rate jumps because the state crosses a level, as with `if x[0] < 1.0`, derivatives miss the change of the time of
    /// the crossing. Let an [event](Self::events) set a component on which the rate then depends; `docs/time.md` has an example.
    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]);

    /// Writes x₀(θ) to `out`, all n entries.
    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]);

    /// Returns the number of observables, the length of y.
    fn outputs(&self) -> usize {
        self.dims().0
    }

    /// Writes h(t, x, θ) to `out`, all observables.
    ///
    /// For an observation of the steady state t is ∞ (`f64::INFINITY`): a formula with t must stay finite there, as 1/(1 + t) does
    /// and t·x does not.
    fn observe<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let _ = (t, theta);
        out.copy_from_slice(x);
    }

    /// Adds wᵀ ∂f/∂x to `x` and wᵀ ∂f/∂θ to `theta`, and returns true, if these products are known in closed form.
    ///
    /// Automatic derivatives need no such products. For states of many thousand components and an explicit method they save most
    /// of the time of a backward sweep, which otherwise evaluates all entries of ∂f/∂x at every stage. The products are compared
    /// with automatic derivatives at the start of every phase. Dynamics with events do not use them.
    fn pull_back(&self, from: Covectors<'_>, x: &mut [f64], theta: &mut [f64]) -> bool {
        let _ = (from, x, theta);
        false
    }

    /// Returns whether equation i is algebraic, 0 = fᵢ(t, x, θ), instead of ẋᵢ = fᵢ.
    ///
    /// The algebraic equations must determine the components xᵢ of the same indices (index 1). The initial value of such a
    /// component is a guess.
    fn is_algebraic(&self, i: usize) -> bool {
        let _ = i;
        false
    }

    /// Returns the number of events, at which the state may jump.
    ///
    /// Every event has a [function](Self::event) whose change of sign is its time, and a [jump](Self::jump). The times are part of
    /// the derivatives. Second derivatives are then unknown.
    ///
    /// ```
    /// use pullback::automatic::Scalar;
    /// use pullback::evolution::{Dynamics, Evolution};
    ///
    /// /// A ball that falls from height θ₀ with acceleration θ₁, and keeps the share θ₂ of its speed at the floor.
    /// struct Ball;
    ///
    /// impl Dynamics for Ball {
    ///     fn dims(&self) -> (usize, usize) {
    ///         (2, 3)
    ///     }
    ///
    ///     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
    ///         out[0] = x[1];
    ///         out[1] = -theta[1];
    ///     }
    ///
    ///     fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
    ///         out[0] = theta[0];
    ///         out[1] = S::from(0.0);
    ///     }
    ///
    ///     fn events(&self) -> usize {
    ///         1
    ///     }
    ///
    ///     fn event<S: Scalar>(&self, _: usize, _: f64, x: &[S], _: &[S]) -> S {
    ///         -x[0]
    ///     }
    ///
    ///     fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
    ///         x[0] = S::from(0.0);
    ///         x[1] = -theta[2] * x[1];
    ///     }
    /// }
    ///
    /// // From height 2 with acceleration 4, the floor is reached at t = 1 with speed 4. Half of it lasts until t = 2.
    /// let model = Evolution::new(Ball, vec![1.5])?;
    /// let x = model.predict(&[2.0, 4.0, 0.5])?;
    /// assert!((x[0] - 0.5).abs() < 1e-9 && x[1].abs() < 1e-9);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    fn events(&self) -> usize {
        0
    }

    /// Returns the function of an event, which fires when it changes from negative to positive.
    ///
    /// Before a steady state is accepted, the function is also evaluated at t = 10¹⁵⁰: an event that time alone will bring is
    /// waited for. It must therefore be defined for all later times.
    ///
    /// Signs are compared at the ends of the steps, and there only: a function that is positive for less than a step may go
    /// unnoticed. A step with a change of sign is taken again with the length at whose end the function is 0. An event whose
    /// function is still 0 after its jump fires again only after it was negative. One whose function is positive from the start on,
    /// such as a dose at a time before the start, does not fire until it was negative. Of events at the same time, the lowest index
    /// fires first, and a later one whose function is no longer near 0 then does not fire. A jump, or a change of inputs, that
    /// makes the function of an event positive fires that event at once. What is observed at the very time of an event is the state
    /// after it.
    fn event<S: Scalar>(&self, index: usize, t: f64, x: &[S], theta: &[S]) -> S {
        let _ = (index, t, x, theta);
        S::from(-1.0)
    }

    /// Changes the state x at an event. By default it stays.
    ///
    /// Algebraic components are then guesses, as in the initial value.
    fn jump<S: Scalar>(&self, index: usize, t: f64, x: &mut [S], theta: &[S]) {
        let _ = (index, t, x, theta);
    }
}

/// Covectors w of the rate at a point, whose product with the derivatives is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Covectors<'a> {
    /// Time.
    pub t: f64,
    /// State.
    pub x: &'a [f64],
    /// Parameters.
    pub theta: &'a [f64],
    /// One number for every component of the rate.
    pub w: &'a [f64],
}

/// Function of dynamics at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    /// Initial value, a function of θ alone.
    Initial,
    /// Rate at a time.
    Rate(f64),
    /// Observables at a time.
    Output(f64),
    /// Function of an event of this index at a time, and the state after its jump.
    Event(usize, f64),
}

/// Function of dynamics, with x and θ in one vector.
///
/// One type for all functions is compiled once for every scalar.
pub(super) struct At<'a, D> {
    pub(super) dynamics: &'a D,
    pub(super) function: Function,
}

impl<D: Dynamics> Formula for At<'_, D> {
    fn dims(&self) -> (usize, usize) {
        let (n, p) = self.dynamics.dims();
        match self.function {
            Function::Initial => (n, p),
            Function::Rate(_) => (n, n + p),
            Function::Output(_) => (self.dynamics.outputs(), n + p),
            Function::Event(..) => (1 + n, n + p),
        }
    }

    // One copy for every scalar. Inlined at all call sites, it would make a program compile for minutes.
    #[inline(never)]
    fn values<S: Scalar>(&self, both: &[S], out: &mut [S]) {
        let split = both.len() - self.dynamics.dims().1;
        let (x, theta) = both.split_at(split);
        match self.function {
            Function::Initial => self.dynamics.initial(theta, out),
            Function::Rate(t) => self.dynamics.rate(t, x, theta, out),
            Function::Output(t) => self.dynamics.observe(t, x, theta, out),
            Function::Event(index, t) => {
                out[0] = self.dynamics.event(index, t, x, theta);
                out[1..].copy_from_slice(x);
                self.dynamics.jump(index, t, &mut out[1..], theta);
            }
        }
    }
}

/// Returns 1 for every component with a rate, and 0 for every algebraic one.
pub(super) fn moves<D: Dynamics>(dynamics: &D) -> Vec<f64> {
    let moves = |i| f64::from(u8::from(!dynamics.is_algebraic(i)));
    (0..dynamics.dims().0).map(moves).collect()
}
