import Addressing
import CLinux
import KernelInterface

/// Whether the kernel has 802.1Q sub-interfaces.
public enum VLANDevices {
    private static let moduleTimeoutMilliseconds = 5000

    /// Tries one in a namespace that has no name and goes at once. The module is loaded where that is possible.
    public static func detect() -> Bool {
        if works() { return true }
        guard KernelRequirements.path(ofProgram: "modprobe") != nil else { return false }
        _ = try? runProgram(["modprobe", "--quiet", "8021q"], timeoutMilliseconds: moduleTimeoutMilliseconds)
        return works()
    }

    private static func works() -> Bool {
        let parent = Link(name: "probe-parent", kind: .veth(peer: "probe-peer", peerNamespace: nil))
        let device = Link(name: "probe-vlan", kind: .vlan(parent: parent.name, id: 1))
        do throws(KernelError) {
            try NamespaceRunner.runInNewNamespace { () throws(KernelError) in
                try attempt("try 802.1Q") { () throws(NetlinkError) in
                    let socket = try NetlinkSocket(protocol: NETLINK_ROUTE)
                    try socket.perform(LinkMessages.creation(of: parent, LinkCreationContext()))
                    let context = LinkCreationContext(parentIndex: try socket.indexOfLink(parent.name))
                    try socket.perform(LinkMessages.creation(of: device, context))
                }
            }
            return true
        } catch {
            // EOPNOTSUPP: the kernel knows no such kind.
            return false
        }
    }
}
