//! `vectorised!`: one loop compiled twice, for any x86-64 and for AVX2, chosen when it is called.
//!
//! Rust never contracts a multiplication and an addition by itself, and no loop here reorders a sum, so that both give
//! the same bits.

/// Whether the AVX2 half may run. The answer is cached by the standard library.
#[inline(always)]
pub(crate) fn avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Declares a function whose body is compiled for the baseline and for AVX2: `fn name[W: Bound](args) -> R { .. }`.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident
     [$($g:ident: $bound:path),* $(; $(const $c:ident: $ct:ty),*)?]
     ($($arg:ident: $ty:ty),* $(,)?) -> $out:ty $body:block) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name<$($g: $bound,)* $($(const $c: $ct),*)?>($($arg: $ty),*) -> $out {
            #[inline(always)]
            fn body<$($g: $bound,)* $($(const $c: $ct),*)?>($($arg: $ty),*) -> $out $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$($g: $bound,)* $($(const $c: $ct),*)?>($($arg: $ty),*) -> $out {
                body::<$($g,)* $($($c),*)?>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if $crate::kernels::simd::avx2() {
                // SAFETY: this machine has AVX2.
                return unsafe { avx2::<$($g,)* $($($c),*)?>($($arg),*) };
            }
            body::<$($g,)* $($($c),*)?>($($arg),*)
        }
    };
}
pub(crate) use vectorised;
