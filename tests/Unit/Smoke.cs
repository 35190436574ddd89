namespace Sway.Unit;

public sealed class Smoke
{
    [Fact]
    public void The_test_host_runs() => Environment.Version.Major.ShouldBeGreaterThanOrEqualTo(10);
}
