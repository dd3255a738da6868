import FakeKernel
import KernelConformance
import KernelInterface
import Testing

@Suite struct ConformanceTests {
    @Test("The simulated kernel does what the real one does", arguments: KernelConformance.cases)
    func conforms(_ testCase: KernelConformance.Case) throws {
        try testCase.run(on: .init(kernel: FakeKernel(), first: NamespaceName("qrouter-one"), second: NamespaceName("qrouter-two")))
    }
}
