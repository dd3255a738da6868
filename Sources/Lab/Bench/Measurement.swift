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
        /// Every single sample must meet the aim.
        case worst
    }

    public var part: Benchmark.Part
    public var what: String
    public var unit: String
    public var aim: Aim
    public var figure: Figure
    /// At least one.
    public var samples: [Double]
    /// What the figures include, and what else was seen.
    public var remark: String

    init(
        _ part: Benchmark.Part, _ what: String, unit: String, _ aim: Aim, _ figure: Figure, _ samples: [Double], remark: String = ""
    ) {
        precondition(!samples.isEmpty, "a measurement has at least one sample")
        self.part = part
        self.what = what
        self.unit = unit
        self.aim = aim
        self.figure = figure
        self.samples = samples
        self.remark = remark
    }

    public var minimum: Double { samples.min() ?? 0 }
    public var maximum: Double { samples.max() ?? 0 }
    public var median: Double { samples.median }

    public var isMet: Bool {
        switch (aim, figure) {
        case (.atMost(let limit), .median): median <= limit
        case (.atMost(let limit), .worst): maximum <= limit
        case (.atLeast(let limit), .median): median >= limit
        case (.atLeast(let limit), .worst): minimum >= limit
        }
    }

    public var json: JSONValue {
        let target: (comparison: String, value: Double) =
            switch aim {
            case .atMost(let value): ("at most", value)
            case .atLeast(let value): ("at least", value)
            }
        return [
            "part": .string(part.rawValue), "what": .string(what), "unit": .string(unit), "remark": .string(remark),
            "target": [
                "comparison": .string(target.comparison), "value": .number(target.value), "figure": .string(figure.rawValue),
            ],
            "minimum": .number(rounded(minimum)), "median": .number(rounded(median)), "maximum": .number(rounded(maximum)),
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
}
