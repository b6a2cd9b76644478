use alloc::vec::Vec;
use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_loadu_si256, _mm256_setzero_si256, _mm256_storeu_si256,
};
use core::hint::black_box;

/// Numbers whose sum is known.
pub struct Numbers {
    numbers: Vec<[u64; 4]>,
    expected: u64,
    has_avx2: bool,
}

impl Numbers {
    pub fn new(has_avx2: bool) -> Self {
        let scattered = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let numbers: Vec<[u64; 4]> = (0..1_000)
            .map(|row| [0, 1, 2, 3].map(|column| scattered(4 * row + column)))
            .collect();
        let add = |sum: u64, number: u64| sum.wrapping_add(number);
        Self {
            // One by one, in no vector register.
            expected: numbers
                .iter()
                .flatten()
                .fold(0, |sum, number| black_box(add(black_box(sum), *number))),
            numbers,
            has_avx2,
        }
    }

    /// Adds them up once more. Tells whether the sum is the same.
    pub fn are_right(&self) -> bool {
        let columns = if self.has_avx2 {
            // SAFETY: the processor has AVX2.
            unsafe { add_by_avx2(&self.numbers) }
        } else {
            add_by_sse2(&self.numbers)
        };
        columns.into_iter().fold(0, u64::wrapping_add) == self.expected
    }
}

#[target_feature(enable = "avx2")]
fn add_by_avx2(numbers: &[[u64; 4]]) -> [u64; 4] {
    let mut sums = _mm256_setzero_si256();
    for row in numbers {
        // SAFETY: the row has the vector's 32 bytes.
        let row = unsafe { _mm256_loadu_si256(row.as_ptr().cast::<__m256i>()) };
        sums = _mm256_add_epi64(sums, row);
    }
    let mut columns = [0; 4];
    // SAFETY: there is room for the vector's 32 bytes.
    unsafe { _mm256_storeu_si256(columns.as_mut_ptr().cast::<__m256i>(), sums) };
    columns
}

fn add_by_sse2(numbers: &[[u64; 4]]) -> [u64; 4] {
    numbers.iter().fold([0; 4], |mut sums, row| {
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(*number);
        }
        sums
    })
}
