//! Values as bytes: little-endian numbers, lengths in front of what has one.

use std::collections::VecDeque;

/// A value that can be kept in the store.
pub trait Codec: Default {
    /// Appends its bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// What [`Codec::write`] wrote, taken from the front; none if that is not it.
    fn read(from: &mut &[u8]) -> Option<Self>;

    /// Memory that it takes beside its own size, bytes.
    fn heap_bytes(&self) -> usize {
        0
    }
}

macro_rules! number {
    ($($ty:ty)*) => { $(
        impl Codec for $ty {
            #[inline]
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn read(from: &mut &[u8]) -> Option<$ty> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$ty>::from_le_bytes(*bytes))
            }
        }
    )* };
}

number!(u8 u32 u64 i64);

impl Codec for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut &[u8]) -> Option<bool> {
        u8::read(from).map(|byte| byte != 0)
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<(A, B)> {
        Some((A::read(from)?, B::read(from)?))
    }

    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.1.heap_bytes()
    }
}

impl Codec for Box<[u8]> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u32).write(out);
        out.extend_from_slice(self);
    }

    fn read(from: &mut &[u8]) -> Option<Box<[u8]>> {
        let length = u32::read(from)? as usize;
        let (bytes, rest) = from.split_at_checked(length)?;
        *from = rest;
        Some(bytes.into())
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl<T: Codec> Codec for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u32).write(out);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut &[u8]) -> Option<Vec<T>> {
        let length = u32::read(from)?;
        (0..length).map(|_| T::read(from)).collect()
    }

    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Codec::heap_bytes).sum::<usize>()
    }
}

impl<T: Codec> Codec for VecDeque<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u32).write(out);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut &[u8]) -> Option<VecDeque<T>> {
        let length = u32::read(from)?;
        (0..length).map(|_| T::read(from)).collect()
    }

    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Codec::heap_bytes).sum::<usize>()
    }
}
