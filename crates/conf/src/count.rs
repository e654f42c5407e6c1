//! How much work is done, counted: that reading and merging stay linear is tested by counting, since time is no measure
//! on a busy machine. Outside tests nothing is counted and these are no instructions at all.

#[cfg(not(test))]
pub(crate) use off::{bytes, comparison};
#[cfg(test)]
pub(crate) use on::{bytes, comparison, work};

#[cfg(not(test))]
mod off {
    /// Some bytes are looked at.
    #[inline(always)]
    pub(crate) fn bytes(_: usize) {}

    /// Two names are compared.
    #[inline(always)]
    pub(crate) fn comparison() {}
}

#[cfg(test)]
mod on {
    use std::cell::Cell;

    std::thread_local!(static WORK: Cell<u64> = const { Cell::new(0) });

    pub(crate) fn bytes(count: usize) {
        WORK.set(WORK.get() + count as u64);
    }

    pub(crate) fn comparison() {
        WORK.set(WORK.get() + 1);
    }

    /// What something costs, and what it gives.
    pub(crate) fn work<T>(of: impl FnOnce() -> T) -> (u64, T) {
        WORK.set(0);
        let result = of();
        (WORK.get(), result)
    }
}

#[cfg(test)]
mod tests {
    use super::work;
    use crate::{Config, Tree, syntax};
    use alloc::format;
    use alloc::string::String;

    /// Forms that make a careless reader start over again and again.
    const HOSTILE: [&str; 28] = [
        "a{",
        "a \"i\" {",
        "}",
        "{",
        "\"\n",
        "'",
        "\\\"",
        "x=\"\\\"\n",
        "\"\\\n",
        "a ",
        "a = ",
        "a = b = ",
        "a # c\n b # c\n = ",
        "a /* some comment */ ",
        "include ",
        "include a = ",
        "include /* x */ b ",
        "( a = ",
        "x = ( a b (",
        "x = ( \"a\" =",
        "x = [ a ",
        "x = [ a = ] ]",
        "/* ",
        "/*/ a",
        "// x ",
        "x = a'b",
        "\u{202e}\u{a0}x ",
        "# \r",
    ];

    #[test]
    fn reading_is_linear_in_whatever_it_is_given() {
        for form in HOSTILE {
            let costs = [20_000, 40_000, 80_000].map(|times| {
                let text = form.repeat(times / form.len());
                let (cost, (tree, findings)) = work(|| Tree::parse("hostile", &text));
                assert!(findings.len() <= 2 * crate::MAX_ERRORS + 2, "{form:?}");
                assert!(cost <= 4 * text.len() as u64, "{form:?}: {cost} for {} bytes", text.len());
                let walked: String = tree.walk(&text).map(|(_, part)| part).collect();
                assert!(walked == text, "{form:?}");
                cost.max(1)
            });
            assert!(
                costs[2] <= costs[1] * 21 / 10 + 8 && costs[1] <= costs[0] * 21 / 10 + 8,
                "{form:?}: {costs:?}"
            );
        }
    }

    #[test]
    fn merging_takes_a_few_comparisons_a_name() {
        // Names that begin alike, so that it is comparisons of names that tell them apart.
        let shapes: [fn(u32) -> String; 6] = [
            |n| format!("Option_number_{n} = {n}\n"),
            |n| format!("Scope {{ Option_number_{} = {n} }}\n", n % 17),
            |n| format!("Same = {n}\n"),
            |n| format!("Domain \"d{n}\" {{ a = {n} }}\n"),
            |_| "Domain d { a = 1 b = 2 }\n".into(),
            |n| format!("Scope_number_{n} {{ inner {{ a = {n} }} }}\n"),
        ];
        for shape in shapes {
            let cost = |names: u32| {
                let text: String = (0..names).map(shape).collect();
                let (reading, _) = work(|| syntax("text", text.as_bytes()));
                let (all, config) = work(|| Config::from_text("text", &text));
                assert!(config.is_ok());
                all - reading
            };
            let (some, many) = (cost(4_000), cost(32_000));
            // Eight times the names: at most eight times the comparisons, and a share for the logarithm.
            assert!(many <= some * 8 * 3 / 2, "{}: {some} then {many}", shape(1));
            assert!(many <= 32_000 * 150, "{}: {many}", shape(1));
        }
    }
}
