import Glibc
import KernelInterface
import Testing

@testable import KernelLinux

extension RealKernelTests {
    @Test("Room for neighbours is asked for where it can be had: in the machine's first namespace, for both versions of IP")
    func neighbourMemory() throws {
        let paths = ["ipv4", "ipv6"].flatMap { version in ["gc_thresh2", "gc_thresh3"].map { "net/\(version)/neigh/default/\($0)" } }
        #expect(Set(NeighbourMemory.settings().keys) == Set(paths.filter { access("/proc/sys/\($0)", W_OK) == 0 }))
        let kernel = LinuxKernel()
        try RealKernel.withNamespaces(kernel, 1) { names in
            let inside = try NamespaceRunner.runTyped(in: names[0]) { NeighbourMemory.settings() }
            #expect(inside == [:])
        }
    }
}
