import NetworkModel

/// What an ``Election`` wants its host to do at once, beside whoever follows the news.
public enum ElectionErrand: Hashable, Sendable {
    /// Tell the neighbours of all addresses of the router that they are here.
    case announce(ResourceID)
    /// Let no VRRP advertisement of others pass to the router's device for so long, by itself; and say when that is so.
    case deafen(ResourceID, device: String, milliseconds: Int)
    /// Let no VRRP advertisement of the router's device pass to others for so long, by itself; and say when that is so.
    case mute(ResourceID, device: String, milliseconds: Int)

    /// What the election hears when it is done; nil: nothing.
    public var doneEvent: ElectionEvent? {
        switch self {
        case .announce: nil
        case .deafen(let id, _, _): .deafened(id)
        case .mute(let id, _, _): .muted(id)
        }
    }
}
