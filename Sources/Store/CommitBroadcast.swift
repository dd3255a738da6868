import Synchronization

/// Tells every reader of ``Store/commits()`` the latest revision.
final class CommitBroadcast: Sendable {
    private struct State {
        var latest: Int
        var isFinished = false
        var nextKey = 0
        var readers: [Int: AsyncStream<Int>.Continuation] = [:]
    }

    private let state: Mutex<State>

    init(latest: Int) { state = Mutex(State(latest: latest)) }

    var latest: Int { state.withLock { $0.latest } }

    /// Older revisions than the latest are known already: notifications may arrive late.
    func publish(_ revision: Int) {
        // Yielding under the lock keeps revisions in order: the stream holds the newest only.
        state.withLock { state in
            guard revision > state.latest else { return }
            state.latest = revision
            for reader in state.readers.values { reader.yield(revision) }
        }
    }

    func stream() -> AsyncStream<Int> {
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let key: Int? = state.withLock { state in
            guard !state.isFinished else { return nil }
            state.nextKey += 1
            state.readers[state.nextKey] = continuation
            return state.nextKey
        }
        guard let key else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(key) }
        return stream
    }

    func finish() {
        let readers = state.withLock { state in
            state.isFinished = true
            defer { state.readers = [:] }
            return state.readers
        }
        for reader in readers.values { reader.finish() }
    }

    private func remove(_ key: Int) { _ = state.withLock { $0.readers.removeValue(forKey: key) } }
}
