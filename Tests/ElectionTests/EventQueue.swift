/// What will happen, in order of time, and of scheduling within one millisecond.
struct EventQueue {
    private struct Entry {
        var time: Int
        var order: Int
        var body: () -> Void
    }

    private var heap: [Entry] = []
    private var order = 0

    var nextTime: Int? { heap.first?.time }

    mutating func add(at time: Int, _ body: @escaping () -> Void) {
        order += 1
        heap.append(Entry(time: time, order: order, body: body))
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func takeFirst() -> (time: Int, body: () -> Void)? {
        guard let first = heap.first else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.body)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
