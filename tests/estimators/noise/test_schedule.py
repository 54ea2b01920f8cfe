"""Schedules: total noise, its derivative, and the accuracy of both at the endpoints."""

import mpmath
import numpy as np
import pytest

from estimators import Geometric, InputError, LogLinear, Polynomial
from estimators.noise.schedule import FIRST, LAST

SCHEDULES = [
    LogLinear(),
    LogLinear(eps=1e-3),
    Polynomial(),
    Polynomial(power=1.0),
    Polynomial(power=3.5),
    Polynomial(power=0.5),
    Geometric(),
    Geometric(smallest=1e-3, largest=5.0),
]
TIMES = np.array([0.0, 1e-12, 1e-4, 0.1, 0.5, 0.75, 0.99, 1.0 - 1e-9, 1.0])


def precise(schedule):
    """The total noise as a function in 150-digit arithmetic."""
    if isinstance(schedule, LogLinear):
        return lambda time: -mpmath.log(1 - (1 - mpmath.mpf(schedule.eps)) * time)
    if isinstance(schedule, Polynomial):
        return lambda time: -mpmath.log(1 - time ** mpmath.mpf(schedule.power))
    smallest, largest = mpmath.mpf(schedule.smallest), mpmath.mpf(schedule.largest)
    return lambda time: smallest * ((1 + largest / smallest) ** time - 1)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.name)
class TestEverySchedule:
    def test_maths_total_noise_and_its_derivative_are_accurate_to_all_digits(self, schedule):
        """Against 150-digit arithmetic, including times at and near both endpoints."""
        with mpmath.workdps(150):
            times = [mpmath.mpf(float(one)) for one in np.clip(TIMES, FIRST, LAST)]
            noise = [float(precise(schedule)(one)) for one in times]
            slope = [float(mpmath.diff(precise(schedule), one, h=mpmath.mpf(10) ** -60)) for one in times]
        np.testing.assert_allclose(schedule.total_noise(TIMES), noise, rtol=1e-13)
        np.testing.assert_allclose(schedule.rate(TIMES), slope, rtol=1e-13)

    def test_it_begins_near_zero_and_ends_at_its_final_noise(self, schedule):
        noise = schedule.total_noise(TIMES)
        assert (np.diff(noise) > 0).all()
        assert 0 < noise[0] < 2e-8  # the square root of the first time, for power 0.5
        if np.isfinite(schedule.final_noise):
            assert noise[-1] == pytest.approx(schedule.final_noise, rel=1e-12)
        else:
            assert 34 < noise[-1] < 38

    def test_it_begins_as_its_stated_power_of_the_time(self, schedule):
        early = schedule.total_noise([1e-9, 1e-10])
        assert np.log10(early[0] / early[1]) == pytest.approx(schedule.order, abs=1e-4)

    def test_both_endpoints_are_finite(self, schedule):
        for values in (schedule.total_noise([0.0, 1.0]), schedule.rate([0.0, 1.0])):
            assert np.isfinite(values).all()
            assert (values > 0).all()

    @pytest.mark.parametrize("time", [-1e-9, 1.0000001, np.nan, np.inf])
    def test_times_outside_the_unit_interval_are_refused(self, schedule, time):
        for function in (schedule.total_noise, schedule.rate):
            with pytest.raises(InputError, match=f"from 0 to 1, got {time:g}"):
                function([0.5, time])


def test_control_the_rate_of_another_schedule_differs():
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(Polynomial().rate(TIMES), LogLinear().rate(TIMES), rtol=1e-3)


def test_names_contain_the_parameters_that_differ_from_their_defaults():
    assert [one.name for one in SCHEDULES] == [
        "log-linear",
        "log-linear,eps=0.001",
        "polynomial",
        "polynomial,power=1",
        "polynomial,power=3.5",
        "polynomial,power=0.5",
        "geometric",
        "geometric,smallest=0.001,largest=5",
    ]


def test_noise_levels_are_as_documented():
    times = np.array([0.2, 0.9])
    np.testing.assert_allclose(-np.expm1(-LogLinear().total_noise(times)), times, rtol=1e-14)
    np.testing.assert_allclose(-np.expm1(-Polynomial(3.0).total_noise(times)), times**3, rtol=1e-14)
    np.testing.assert_allclose(Polynomial(1.0).total_noise(times), LogLinear().total_noise(times), rtol=1e-14)
    geometric = Geometric(smallest=1e-4, largest=20.0)
    np.testing.assert_allclose(geometric.total_noise(times), 1e-4 ** (1 - times) * 20.0**times, rtol=0.5)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: LogLinear(eps=1.0), r"log-linear needs eps in \[0, 1\), got 1.0"),
        (lambda: LogLinear(eps=-0.1), r"eps in \[0, 1\), got -0.1"),
        (lambda: LogLinear(eps=np.nan), r"eps in \[0, 1\), got nan"),
        (lambda: Polynomial(0.0), "polynomial needs a positive power, got 0.0"),
        (lambda: Polynomial(np.inf), "positive power, got inf"),
        (lambda: Polynomial(np.nan), "positive power, got nan"),
        (lambda: Geometric(0.0, 1.0), "geometric needs 0 < smallest < largest, got 0.0 and 1.0"),
        (lambda: Geometric(2.0, 1.0), "0 < smallest < largest, got 2.0 and 1.0"),
        (lambda: Geometric(1e-4, np.inf), "0 < smallest < largest, got 0.0001 and inf"),
    ],
)
def test_bad_parameters_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
