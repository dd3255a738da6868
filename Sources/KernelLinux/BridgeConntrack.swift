import Glibc
import KernelInterface

/// How a kernel tells bridge rules the state of a packet's connection.
public enum BridgeConntrack: Hashable, Sendable {
    /// `ct state` works in the bridge family (NF_CONNTRACK_BRIDGE).
    case native
    /// br_netfilter takes bridged packets past connection tracking of the inet family.
    case throughBridgeNetfilter

    /// Where the namespace has br_netfilter's switches.
    private static let bridgeNetfilterDirectory = "/proc/sys/net/bridge"
    private static let moduleTimeoutMilliseconds = 5000

    /// Tries it in a namespace that has no name and goes at once. Modules that are missing are loaded where that is possible.
    ///
    /// - Returns: Nil when the kernel can do neither: without connection state, answers to what an instance sent could not be let in.
    public static func detect() -> Self? {
        if hasNative() { return .native }
        load("nf_conntrack_bridge")
        if hasNative() { return .native }
        if !hasBridgeNetfilter { load("br_netfilter") }
        return hasBridgeNetfilter ? .throughBridgeNetfilter : nil
    }

    /// What to do when ``detect()`` answers nil.
    public static let advice =
        "The kernel tracks no bridged connections, which security groups need: load the module (modprobe br_netfilter), or boot a kernel "
        + "with CONFIG_NF_CONNTRACK_BRIDGE or CONFIG_BRIDGE_NETFILTER."

    private static var hasBridgeNetfilter: Bool { access(bridgeNetfilterDirectory, F_OK) == 0 }

    private static func hasNative() -> Bool {
        let script = "table bridge probe { chain probe { type filter hook forward priority 0; ct state established accept; }; }\n"
        do throws(KernelError) {
            try NamespaceRunner.runInNewNamespace { () throws(KernelError) in try FirewallScript.run(script, in: nil) }
            return true
        } catch {
            // The kernel refuses the rule (EPROTO); whatever else it may be, the other way is still open.
            return false
        }
    }

    /// Where modules are built in, or there is no modprobe, there is nothing to load.
    private static func load(_ module: String) {
        guard KernelRequirements.path(ofProgram: "modprobe") != nil else { return }
        _ = try? runProgram(["modprobe", "--quiet", module], timeoutMilliseconds: moduleTimeoutMilliseconds)
    }
}
