import APISchema

/// One line of a benchmark's report: what was measured, what was wanted, and every sample.
public struct Measurement: Hashable, Sendable {
    public enum Aim: Hashable, Sendable {
        case atMost(Double)
        case atLeast(Double)
    }

    /// Which figure of the samples the aim is about.
    public enum Figure: String, Hashable, Sendable {
        case median
        /// 99 of 100 samples must meet the aim.
        case ninetyNinth = "99th percentile"
        /// Every single sample must meet the aim.
        case worst
    }

    /// What is wanted of one figure.
    public struct Target: Hashable, Sendable {
        public var aim: Aim
        public var figure: Figure

        init(_ aim: Aim, _ figure: Figure) {
            self.aim = aim
            self.figure = figure
        }
    }

    public var part: Benchmark.Part
    public var what: String
    public var unit: String
    /// All of them are wanted; none for what is only shown.
    public var targets: [Target]
    /// At least one.
    public var samples: [Double]
    /// What the figures include, and what else was seen.
    public var remark: String

    init(
        _ part: Benchmark.Part, _ what: String, unit: String, _ aim: Aim, _ figure: Figure, _ samples: [Double], remark: String = ""
    ) { self.init(part, what, unit: unit, [Target(aim, figure)], samples, remark: remark) }

    init(
        _ part: Benchmark.Part, _ what: String, unit: String, _ targets: [Target], _ samples: [Double], remark: String = ""
    ) {
        precondition(!samples.isEmpty, "a measurement has at least one sample")
        self.part = part
        self.what = what
        self.unit = unit
        self.targets = targets
        self.samples = samples
        self.remark = remark
    }

    public var minimum: Double { samples.min() ?? 0 }
    public var maximum: Double { samples.max() ?? 0 }
    public var median: Double { samples.median }

    public var isMet: Bool { targets.allSatisfy(isMet) }

    private func isMet(_ target: Target) -> Bool {
        switch (target.aim, target.figure) {
        case (.atMost(let limit), .median): median <= limit
        case (.atMost(let limit), .ninetyNinth): samples.percentile(99) <= limit
        case (.atMost(let limit), .worst): maximum <= limit
        case (.atLeast(let limit), .median): median >= limit
        case (.atLeast(let limit), .ninetyNinth): samples.percentile(1) >= limit
        case (.atLeast(let limit), .worst): minimum >= limit
        }
    }

    public var json: JSONValue {
        let targets = targets.map { target -> JSONValue in
            let (comparison, value) =
                switch target.aim {
                case .atMost(let value): ("at most", value)
                case .atLeast(let value): ("at least", value)
                }
            return [
                "comparison": .string(comparison), "value": .number(value), "figure": .string(target.figure.rawValue),
                "met": .bool(isMet(target)),
            ]
        }
        return [
            "part": .string(part.rawValue), "what": .string(what), "unit": .string(unit), "remark": .string(remark),
            "targets": .array(targets), "minimum": .number(rounded(minimum)), "median": .number(rounded(median)),
            "ninety_ninth": .number(rounded(samples.percentile(99))), "maximum": .number(rounded(maximum)),
            "samples": .array(samples.map { .number(rounded($0)) }), "met": .bool(isMet),
        ]
    }

    private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

extension [Double] {
    /// The middle of the sorted values, or the mean of the two in the middle; 0 of none.
    var median: Double {
        let sorted = sorted()
        guard let last = sorted.last else { return 0 }
        let middle = sorted.count / 2
        if sorted.count == 1 { return last }
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The smallest sample that so many of 100 samples do not exceed (the nearest rank); 0 of none.
    func percentile(_ percent: Int) -> Double {
        let sorted = sorted()
        guard !sorted.isEmpty else { return 0 }
        let rank = (sorted.count * percent + 99) / 100
        return sorted[Swift.min(Swift.max(rank, 1), sorted.count) - 1]
    }
}
