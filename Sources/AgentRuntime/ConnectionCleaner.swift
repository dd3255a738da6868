import Converters
import Drivers
import HostModel
import NetworkModel

/// Ends connections through routers that must not outlive a change: those through a floating IP that was taken away.
struct ConnectionCleaner {
    private let connections: RouterConnections
    /// Each router as it was last realised. One whose new translation could not be loaded keeps its place here until it is: connections that
    /// were ended before would come back by the old one.
    private var realised: [ResourceID: HostRouter] = [:]

    init(connections: RouterConnections) { self.connections = connections }

    mutating func clean(_ view: HostView, after result: ApplyReport) {
        for id in realised.keys where view.routers[id] == nil {
            realised[id] = nil
            connections.forget(id)
        }
        for router in view.routers.values where realised[router.id] != router && !result.concerns(router: router.id) {
            guard let before = realised.updateValue(router, forKey: router.id) else {
                connections.end(of: router, commands: [], mustCheck: true)
                continue
            }
            let flush = ConntrackFlush(from: before, to: router)
            connections.end(
                of: router, commands: flush.commands, mustCheck: flush.changesForwardings, changesScopes: flush.changesScopes)
        }
    }
}
