import HostModel
import NetworkModel

extension HostItemKey {
    /// An order in which what is referred to comes first: networks before what is on them, groups and their members before the ports that
    /// are filtered by them. It is total, so that equal views are listed equally.
    static func comesBefore(_ left: HostItemKey, _ right: HostItemKey) -> Bool {
        if left.kind != right.kind { return left.kind.rank < right.kind.rank }
        if left.owner != right.owner {
            guard let leftOwner = left.owner else { return true }
            guard let rightOwner = right.owner else { return false }
            return leftOwner < rightOwner
        }
        return left.id < right.id
    }
}

extension HostItemKey.Kind {
    fileprivate var rank: Int {
        switch self {
        case .network: 0
        case .remotePort: 1
        case .securityGroup: 2
        case .groupMember: 3
        case .addressGroup: 4
        case .port: 5
        case .dhcp: 6
        case .reservation: 7
        case .router: 8
        }
    }
}
