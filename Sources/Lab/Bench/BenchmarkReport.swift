import APISchema
import Glibc

/// What a benchmark found.
public struct BenchmarkReport: Sendable {
    public var measurements: [Measurement] = []
    /// Parts that could not be measured, with the reason.
    public var failures: [(part: Benchmark.Part, reason: String)] = []

    public init() {}

    public var isComplete: Bool { failures.isEmpty }
    public var isMet: Bool { isComplete && measurements.allSatisfy(\.isMet) }

    public var json: JSONValue {
        [
            "build": .string(Self.build), "processors": .integer(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            "measurements": .array(measurements.map(\.json)),
            "failures": .array(failures.map { ["part": .string($0.part.rawValue), "reason": .string($0.reason)] }), "met": .bool(isMet),
        ]
    }

    /// A table for people.
    public var text: String {
        var rows = [["part", "what", "wanted", "min", "median", "max", "n", "met"]]
        for measurement in measurements {
            rows.append([
                measurement.part.rawValue, measurement.what, Self.wanted(measurement), number(measurement.minimum),
                number(measurement.median),
                number(measurement.maximum), "\(measurement.samples.count)",
                measurement.targets.isEmpty ? "-" : measurement.isMet ? "yes" : "NO",
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }.joined(separator: "  ")
        }
        lines.insert(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "), at: 1)
        for measurement in measurements where !measurement.remark.isEmpty { lines.append("\(measurement.what): \(measurement.remark)") }
        for failure in failures { lines.append("\(failure.part.rawValue): NOT MEASURED: \(failure.reason)") }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func wanted(_ measurement: Measurement) -> String {
        measurement.targets.map { target in
            let figure =
                switch target.figure {
                case .median: "median "
                case .ninetyNinth: "p99 "
                case .worst: measurement.targets.count > 1 ? "max " : ""
                }
            return switch target.aim {
            case .atMost(let value): "\(figure)<= \(number(value)) \(measurement.unit)"
            case .atLeast(let value): "\(figure)>= \(number(value)) \(measurement.unit)"
            }
        }.joined(separator: ", ")
    }

    static var build: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }
}

/// "12.3" of 12.345, "1234" of 1234.5, "5" of 5.0.
func number(_ value: Double) -> String {
    if abs(value) >= 1000 || value == value.rounded() { return "\(Int(value.rounded()))" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths) % 10)"
}
