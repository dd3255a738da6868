import Glibc

/// Tells what happens, line by line, with the seconds since the start.
public struct Narrator: Sendable {
    private let start = MonotonicTime.nanoseconds
    private let isToStandardError: Bool

    public init(isToStandardError: Bool = false) { self.isToStandardError = isToStandardError }

    public func say(_ text: String) {
        let hundredths = Int((MonotonicTime.nanoseconds - start) / 10_000_000)
        let fraction = hundredths % 100
        let seconds = "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
        let line = "\(String(repeating: " ", count: max(7 - seconds.utf8.count, 0)))\(seconds) s  \(text)\n"
        guard !isToStandardError else {
            _ = write(STDERR_FILENO, line, line.utf8.count)
            return
        }
        print(line, terminator: "")
        // Shown at once where the output is a pipe or a file, too.
        fflush(nil)
    }
}

/// A step of a demonstration that was not observed.
struct UnmetExpectation: Error, CustomStringConvertible {
    var expected: String
    var seen: String

    var description: String { "expected: \(expected)\n           seen:     \(seen)" }
}

/// "12.3 ms" of 12.345.
func milliseconds(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
}
