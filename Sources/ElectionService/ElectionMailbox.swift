import Election
import NetworkModel

/// What the agent says to the election's thread that it has not taken yet. Later messages replace earlier ones about the same, so that a box
/// that nobody empties holds no more than the host has routers.
struct ElectionMailbox {
    private var update: [ElectionMember]?
    private var states: [ResourceID: MemberState] = [:]
    private var processes: [ResourceID: Int32]?
    private var done: Set<ElectionErrand> = []

    mutating func post(_ message: ElectionThread.Message) {
        switch message {
        case .update(let members): update = members
        case .member(let id, let state): states[id] = state
        // All that there are.
        case .watch(let all): processes = all
        case .done(let errand): done.insert(errand)
        }
    }

    /// What waits: members first, since the rest is about them.
    mutating func take() -> [ElectionThread.Message] {
        defer { self = ElectionMailbox() }
        var messages = update.map { [ElectionThread.Message.update($0)] } ?? []
        messages += states.map { .member($0.key, $0.value) }
        if let processes { messages.append(.watch(processes)) }
        return messages + done.map { .done($0) }
    }
}
