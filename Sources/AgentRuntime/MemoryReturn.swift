import CLinux

/// Memory goes back once a large change is over. What a thousand ports take while they are wired leaves the allocator with pages that hold little,
/// which it would keep for as long as the process runs.
extension Agent {
    /// Operations on the kernel that count as a large change, together since the last time.
    private static let operationsOfLargeChange = 500
    /// How long nothing must have been done: what comes next would take the memory again.
    private static let quietSeconds = 2

    /// - Parameter operations: what a cycle did.
    func noteWork(_ operations: Int) {
        guard operations > 0 else { return }
        work.operations += operations
        work.returning?.cancel()
        guard work.operations >= Self.operationsOfLargeChange else { return }
        work.returning = Task {
            do { try await Task.sleep(for: .seconds(Self.quietSeconds)) } catch { return }
            returnMemory()
        }
    }

    private func returnMemory() {
        work = Work()
        clinux_return_memory()
    }

    /// What was done since memory was given back.
    struct Work {
        var operations = 0
        var returning: Task<Void, Never>?
    }
}
