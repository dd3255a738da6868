import Dispatch

/// Wakes the loop of cycles, as the agent's does.
final class WakeUp: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func signal() { semaphore.signal() }

    /// Several signals before it looks count as one.
    func wait(milliseconds: Int) {
        guard semaphore.wait(timeout: .now() + .milliseconds(milliseconds)) == .success else { return }
        while semaphore.wait(timeout: .now()) == .success {}
    }
}
