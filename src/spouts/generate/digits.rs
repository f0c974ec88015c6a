//! Numbers as text of a fixed width.

/// Writes the last digits of a number, as many as there is room for, with zeros in front.
#[inline]
pub(super) fn write_digits(mut number: u64, out: &mut [u8]) {
    for part in out.rchunks_mut(8) {
        let digits = eight_digits((number % 100_000_000) as u32);
        number /= 100_000_000;
        let skipped = digits.len() - part.len();
        part.copy_from_slice(&digits[skipped..]);
    }
}

/// Eight digits at once, in the lanes of one word: split by 10,000, by 100 and by 10, each time in all lanes together
/// with a multiplication in place of the division.
#[inline(always)]
fn eight_digits(number: u32) -> [u8; 8] {
    let number = u64::from(number);
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    let ones = tens | ((twos - 10 * tens) << 8);
    (ones + 0x3030_3030_3030_3030).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::write_digits;

    #[test]
    fn digits_are_those_of_the_number() {
        for number in
            (0..100_000_000).step_by(9973).chain([0, 7, 42, 99_999_999, 100_000_000, 123_456_789_012_345_678, u64::MAX])
        {
            for width in 1..=20usize {
                let mut out = [b'x'; 20];
                write_digits(number, &mut out[..width]);
                let expected = format!("{number:020}");
                assert_eq!(&out[..width], &expected.as_bytes()[20 - width..], "{number} in {width}");
            }
        }
    }
}
