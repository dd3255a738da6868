import Dispatch
import Synchronization

/// A bounded queue whose consumers are threads that may block.
final class BlockingQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        /// Elements before this are taken already; removed when the queue is empty, so that taking costs nothing.
        var head = 0
        var isClosed = false
    }

    private let limit: Int
    private let consumers: Int
    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)

    init(limit: Int, consumers: Int) {
        self.limit = limit
        self.consumers = consumers
    }

    enum Refusal { case closed, full }

    /// Nil when the element was taken in.
    func put(_ element: Element) -> Refusal? {
        let refusal = state.withLock { state -> Refusal? in
            if state.isClosed { return .closed }
            if state.elements.count - state.head >= limit { return .full }
            state.elements.append(element)
            return nil
        }
        if refusal == nil { available.signal() }
        return refusal
    }

    /// Blocks until there is an element; nil when the queue is closed and empty.
    func take() -> Element? {
        available.wait()
        return state.withLock { state in
            guard state.head < state.elements.count else { return nil }
            let element = state.elements[state.head]
            state.head += 1
            if state.head == state.elements.count {
                state.elements.removeAll(keepingCapacity: true)
                state.head = 0
            }
            return element
        }
    }

    /// Lets every consumer finish what is queued and then end.
    func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        for _ in 0..<consumers { available.signal() }
    }
}
