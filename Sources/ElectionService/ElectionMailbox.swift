import Election
import NetworkModel

/// What the agent says to the election's thread that it has not taken yet. Later messages replace earlier ones about the same, so that a box
/// that nobody empties holds no more than the host has routers.
struct ElectionMailbox {
    private var update: [ElectionMember]?
    private var states: [ResourceID: MemberState] = [:]
    private var processes: [ResourceID: Int32]?

    mutating func post(_ message: ElectionThread.Message) {
        switch message {
        case .update(let members): update = members
        case .member(let id, let state): states[id] = state
        // All that there are.
        case .watch(let all): processes = all
        }
    }

    /// What waits: members first, since the rest is about them.
    mutating func take() -> [ElectionThread.Message] {
        defer { self = ElectionMailbox() }
        let known = update.map { [ElectionThread.Message.update($0)] } ?? []
        return known + states.map { .member($0.key, $0.value) } + (processes.map { [.watch($0)] } ?? [])
    }
}
