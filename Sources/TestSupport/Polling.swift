/// Asks until the condition holds. For what nobody announces; the pause only keeps the processor free, nothing depends on its length.
///
/// - Returns: false when the condition did not hold before the deadline, or the task was cancelled.
public func poll(
    until deadline: ContinuousClock.Instant = .now + .seconds(600), _ condition: () async throws -> Bool
) async rethrows -> Bool {
    while !(try await condition()) {
        guard ContinuousClock.now < deadline, !Task.isCancelled else { return false }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return true
}
