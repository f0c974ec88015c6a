//! Sums of doubles as two doubles, so that what leaves a window leaves no trace that anyone can see.

/// hi + lo, about 106 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// The sum, rounded.
    pub hi: f64,
    /// What rounding lost.
    pub lo: f64,
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

impl Sum {
    /// Adds one double.
    #[inline(always)]
    pub fn add(self, x: f64) -> Sum {
        let (sum, lost) = two_sum(self.hi, x);
        let (hi, lo) = two_sum(sum, lost + self.lo);
        Sum { hi, lo }
    }

    /// Adds one double; also what even two doubles could not hold.
    #[inline(always)]
    pub fn add_noting(self, x: f64) -> (Sum, f64) {
        let (sum, lost) = two_sum(self.hi, x);
        let (low, lower) = two_sum(lost, self.lo);
        let (hi, lo) = two_sum(sum, low);
        (Sum { hi, lo }, lower)
    }

    /// Adds another sum.
    #[inline(always)]
    pub fn plus(self, other: Sum) -> Sum {
        let (sum, lost) = two_sum(self.hi, other.hi);
        let (low, lower) = two_sum(self.lo, other.lo);
        let (sum, lost) = two_sum(sum, lost + low);
        let (hi, lo) = two_sum(sum, lost + lower);
        Sum { hi, lo }
    }

    /// With the other sign.
    #[inline(always)]
    pub fn minus(self) -> Sum {
        Sum { hi: -self.hi, lo: -self.lo }
    }

    /// The square of a double, exactly.
    #[inline(always)]
    pub fn square(x: f64) -> Sum {
        let hi = x * x;
        Sum { hi, lo: x.mul_add(x, -hi) }
    }

    /// The product of two doubles, exactly.
    #[inline(always)]
    pub fn product(x: f64, y: f64) -> Sum {
        let hi = x * y;
        Sum { hi, lo: x.mul_add(y, -hi) }
    }

    /// Multiplied by another sum.
    pub fn times(self, other: Sum) -> Sum {
        Sum::product(self.hi, other.hi).add(self.hi * other.lo + self.lo * other.hi)
    }

    /// The square of a sum.
    pub fn squared(self) -> Sum {
        let square = Sum::square(self.hi);
        square.add(2.0 * self.hi * self.lo)
    }

    /// Divided by a double.
    pub fn over(self, by: f64) -> Sum {
        let first = self.hi / by;
        let rest = first.mul_add(-by, self.hi) + self.lo;
        let (hi, lo) = two_sum(first, rest / by);
        Sum { hi, lo }
    }
}
