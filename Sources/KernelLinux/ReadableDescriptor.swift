import Dispatch
import Glibc
import Synchronization

/// A descriptor that one task waits on without holding a thread. Closed at the latest with the object.
///
///                 waitUntilReadable()            readable, or the task is cancelled
///     idle ───────────────────────────► waiting ───────────────────────────────────► idle
///      │ close()                           │ close()
///      └───────────────► closed ◄──────────┘   (the waiter hears false; the descriptor is closed by the source's cancel handler)
///
/// The source is suspended except while somebody waits: what nobody reads stays in the kernel, whose buffer is the bound.
final class ReadableDescriptor: Sendable {
    let descriptor: Int32
    private let state: Mutex<State>

    private struct State {
        var phase = Phase.idle
        let source: any DispatchSourceRead
    }

    private enum Phase {
        case idle
        case waiting(CheckedContinuation<Bool, Never>)
        case closed
    }

    /// Takes the descriptor over.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        state = Mutex(State(source: DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())))
        state.withLock { state in
            state.source.setCancelHandler { _ = Glibc.close(descriptor) }
            state.source.setEventHandler { [weak self] in self?.finishWait(true) }
        }
    }

    deinit { close() }

    /// True when there is something to read; false when the descriptor is closed or the task was cancelled. One caller at a time.
    func waitUntilReadable() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRefused = state.withLock { state in
                    // Cancelled before the wait began: the handler below has run already and found nobody.
                    guard case .idle = state.phase, !Task.isCancelled else { return true }
                    state.phase = .waiting(continuation)
                    state.source.resume()
                    return false
                }
                if isRefused { continuation.resume(returning: false) }
            }
        } onCancel: {
            finishWait(false)
        }
    }

    private func finishWait(_ isReadable: Bool) {
        let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard case .waiting(let continuation) = state.phase else { return nil }
            state.source.suspend()
            state.phase = .idle
            return continuation
        }
        waiter?.resume(returning: isReadable)
    }

    func close() {
        let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            defer { state.phase = .closed }
            switch state.phase {
            case .closed: return nil
            case .waiting(let continuation):
                state.source.cancel()
                return continuation
            case .idle:
                // A suspended source must be resumed before it may go, and tells of its cancellation only then.
                state.source.cancel()
                state.source.resume()
                return nil
            }
        }
        waiter?.resume(returning: false)
    }

    /// Runs a read that does not block; nil when the descriptor is closed, whose number may be somebody else's file by now.
    func read(_ body: (Int32) -> Int) -> Int? {
        state.withLock { state in
            if case .closed = state.phase { return nil }
            return body(descriptor)
        }
    }
}
