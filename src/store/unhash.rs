//! The word that a hash was made of.
//!
//! xxh3 without a seed maps words of eight bytes to hashes one to one: a xor with a constant, a xor of three rotations,
//! two multiplications by an odd number and two xors with a shift of itself, each of which can be undone. So an index
//! of words need not keep the words.

/// The multiplier of xxh3's last step for short inputs, and its inverse modulo 2^64 (Newton's method doubles the number
/// of right bits in each step).
const PRIME: u64 = 0x9FB2_1C65_1E98_DF25;
const INVERSE: u64 = {
    let (mut x, mut n) = (PRIME, 0);
    while n < 6 {
        x = x.wrapping_mul(2u64.wrapping_sub(PRIME.wrapping_mul(x)));
        n += 1;
    }
    x
};

/// The `x` for which `y = x ^ ((x >> shift) + plus)`.
const fn unshift(y: u64, shift: u32, plus: u64) -> u64 {
    let (mut x, mut n) = (y, 0);
    // Each round makes `shift` more of the upper bits right.
    while n < 64 / shift + 1 {
        x = y ^ (x >> shift).wrapping_add(plus);
        n += 1;
    }
    x
}

const fn undo(hash: u64) -> u64 {
    let mut h = unshift(hash, 28, 0).wrapping_mul(INVERSE);
    h = unshift(h, 35, 8).wrapping_mul(INVERSE);
    // With t(x) = x ^ rotl(x, 24) ^ rotl(x, 49), t applied 64 times is x, and t applied 2^k times rotates by 2^k times
    // as much: the inverse is t applied 63 = 1 + 2 + 4 + 8 + 16 + 32 times.
    let mut n = 0;
    while n < 6 {
        h = h ^ h.rotate_left((24 << n) % 64) ^ h.rotate_left((49 << n) % 64);
        n += 1;
    }
    h
}

/// The word of eight bytes (little-endian) whose xxh3 is `hash`, given that of the word zero.
pub const fn unhash(hash: u64, of_zero: u64) -> u64 {
    // The hash begins with a xor with a constant, and the halves of the word change places.
    (undo(hash) ^ undo(of_zero)).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::unhash;
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    proptest! {
        #[test]
        fn a_hash_of_a_word_gives_the_word(word in any::<u64>()) {
            prop_assert_eq!(unhash(xxh3_64(&word.to_le_bytes()), xxh3_64(&[0; 8])), word);
        }
    }
}
