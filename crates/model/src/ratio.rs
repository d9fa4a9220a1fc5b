//! Numbers in [0,1] in fixed point, 10^-6: floats would blur the strict threshold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number in 0..=1, counted in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Ratio(u32);

/// A number that is not in 0..=1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given} is not a finite number within 0..=1")]
pub struct RatioError {
    /// The number that came, as text.
    pub given: String,
}

impl Ratio {
    /// How many parts make one.
    pub const UNIT: u32 = 1_000_000;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(Self::UNIT);

    /// Returns a ratio of `micros` millionths; more than a million is cut to one.
    #[must_use]
    pub const fn micros(micros: u32) -> Self {
        Self(if micros > Self::UNIT { Self::UNIT } else { micros })
    }

    /// Returns the millionths.
    #[must_use]
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// Returns `part / whole`, rounded to the nearest millionth (half up); one where `whole` is 0.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ONE;
        }
        let unit = u64::from(Self::UNIT);
        let micros = match (part.checked_mul(unit * 2), whole.checked_mul(2)) {
            (Some(parts), Some(wholes)) if parts <= u64::MAX - whole => (parts + whole) / wholes,
            _ => Self::of_wide(part, whole),
        };
        Self(u32::try_from(micros).unwrap_or(Self::UNIT).min(Self::UNIT))
    }

    /// Returns `part / whole` in millionths for numbers whose doubled product takes more than 64 bits.
    fn of_wide(part: u64, whole: u64) -> u64 {
        let (part, whole) = (u128::from(part), u128::from(whole));
        let micros = (part * u128::from(Self::UNIT) * 2 + whole) / (whole * 2);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// Returns the product, rounded to the nearest millionth (half up).
    #[must_use]
    pub const fn times(self, other: Self) -> Self {
        let unit = Self::UNIT as u64;
        Self(((self.0 as u64 * other.0 as u64 + unit / 2) / unit) as u32)
    }

    /// Returns one minus this.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::UNIT - self.0)
    }

    /// Reads a decimal from outside.
    ///
    /// # Errors
    /// Where the number is NaN, infinite or outside 0..=1.
    pub fn from_decimal(decimal: f64) -> Result<Self, RatioError> {
        if !(0.0..=1.0).contains(&decimal) {
            return Err(RatioError { given: decimal.to_string() });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be within 0..=1"
        )]
        Ok(Self((decimal * f64::from(Self::UNIT)).round() as u32))
    }

    /// Returns the decimal for the outside.
    #[must_use]
    pub fn as_decimal(self) -> f64 {
        f64::from(self.0) / f64::from(Self::UNIT)
    }
}

impl fmt::Display for Ratio {
    /// Shows at least two decimals and at most six: `0.70`, `0.525`, `0.700001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % Self::UNIT);
        let shown = digits.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / Self::UNIT, &digits[..shown])
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let micros = u32::deserialize(deserializer)?;
        if micros > Self::UNIT {
            return Err(serde::de::Error::custom(format!("{micros} millionths are more than one")));
        }
        Ok(Self(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_outside_are_refused() {
        for decimal in [-0.000_001, 1.000_001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Ratio::from_decimal(decimal).is_err(), "{decimal}");
        }
        assert_eq!(Ratio::from_decimal(0.7), Ok(Ratio::micros(700_000)));
        assert_eq!(Ratio::from_decimal(1.0), Ok(Ratio::ONE));
    }

    #[test]
    fn rounding_is_half_up() {
        assert_eq!(Ratio::of(1, 3), Ratio::micros(333_333));
        assert_eq!(Ratio::of(2, 3), Ratio::micros(666_667));
        assert_eq!(Ratio::of(5, 0), Ratio::ONE);
        assert_eq!(Ratio::of(5, 4), Ratio::ONE);
        assert_eq!(Ratio::of(u64::MAX / 3, u64::MAX), Ratio::micros(333_333));
        assert_eq!(Ratio::of(1, u64::MAX), Ratio::ZERO);
        assert_eq!(Ratio::of(u64::MAX, 1), Ratio::ONE);
        assert_eq!(Ratio::micros(5).times(Ratio::micros(100_000)), Ratio::micros(1));
    }

    #[test]
    fn shown_with_as_many_digits_as_needed() {
        assert_eq!(Ratio::micros(700_000).to_string(), "0.70");
        assert_eq!(Ratio::micros(700_001).to_string(), "0.700001");
        assert_eq!(Ratio::ONE.to_string(), "1.00");
    }
}
