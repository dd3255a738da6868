import Glibc

/// Times of the monotonic clock.
public enum MonotonicTime {
    public static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public static var milliseconds: Int { Int(nanoseconds / 1_000_000) }
}

/// Asks again and again until the condition holds.
///
/// - Parameters:
///   - expectation: what is waited for, as the rest of a sentence that starts with "waited for".
///   - timeoutMilliseconds: how long to ask at most. The condition is asked at least once.
///   - condition: nil when it does not hold yet. An error ends the waiting.
/// - Returns: what the condition answered.
/// - Throws: a ``LabError`` when the time is over.
@discardableResult
public func waitFor<Value: Sendable>(
    _ expectation: String, timeoutMilliseconds: Int, intervalMilliseconds: Int = 50, _ condition: () async throws -> Value?
) async throws -> Value {
    let deadline = MonotonicTime.milliseconds + timeoutMilliseconds
    while true {
        if let value = try await condition() { return value }
        guard MonotonicTime.milliseconds < deadline else {
            throw LabError("Waited \(timeoutMilliseconds) ms for \(expectation), in vain.")
        }
        try await Task.sleep(for: .milliseconds(intervalMilliseconds))
    }
}

/// Asks again and again until the condition is true.
public func waitUntil(
    _ expectation: String, timeoutMilliseconds: Int, intervalMilliseconds: Int = 50, _ condition: () async throws -> Bool
) async throws {
    try await waitFor(expectation, timeoutMilliseconds: timeoutMilliseconds, intervalMilliseconds: intervalMilliseconds) {
        try await condition() ? true : nil
    }
}

/// The same for callers that may block their thread; false when the time is over.
func blockUntil(timeoutMilliseconds: Int, _ condition: () -> Bool) -> Bool {
    let deadline = MonotonicTime.milliseconds + timeoutMilliseconds
    while !condition() {
        guard MonotonicTime.milliseconds < deadline else { return false }
        usleep(5000)
    }
    return true
}
