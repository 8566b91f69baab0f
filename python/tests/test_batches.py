

def test_newton_on_batches_is_annealed_by_default():
    rng = np.random.default_rng(0)
    network = pb.Network(rng.standard_normal((300, 3)), [3])
    labels = rng.integers(0, 3, 300)
    options = {"loss": "softmax", "prior": pb.gaussian(np.zeros(12), 2.0)}
    whole = pb.minimize(network, labels, network.initial(1), **options)
    found = pb.minimize_in_batches(network, labels, network.initial(1), 50, epochs=40, direction="newton", **options)
    assert found.fun < 1.01 * whole.fun


def test_labels_that_can_be_told_apart_are_fitted_without_end():
    network = pb.Network([[-1.0], [1.0]], [2])
    found = pb.minimize(network, [0, 1], network.initial(1), loss="softmax")
    assert found.fun < 1e-12
