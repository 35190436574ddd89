# Runs one test file in this process and prints one line for each test: PASS, SKIP or FAIL, its name, and for a failure the reason.
# Start it in a fresh pwsh: a loaded module cannot be replaced by the one that was just built.
param([Parameter(Mandatory)] [string] $Path)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'Ignore'
$pester = Get-Module Pester -ListAvailable | Where-Object Version -GE '5.0' | Sort-Object Version -Descending | Select-Object -First 1
if (-not $pester) {
    'NOPESTER'
    exit 3
}

Import-Module $pester.Path
# From here on no module of the machine can help a test to pass.
$env:PSModulePath = Join-Path $PSHOME Modules
# No test finds a score that an earlier run kept.
$env:SWAY_CACHE_DIR = Join-Path ([IO.Path]::GetTempPath()) "sway-pester-$PID"
$configuration = New-PesterConfiguration
$configuration.Run.Path = $Path
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'None'
try {
    $result = Invoke-Pester -Configuration $configuration
}
finally {
    Remove-Item $env:SWAY_CACHE_DIR -Recurse -Force -ErrorAction Ignore
}

foreach ($test in $result.Tests) {
    $name = $test.ExpandedPath
    switch ($test.Result) {
        'Passed' { "PASS $name" }
        'Skipped' { "SKIP $name" }
        default { "FAIL $name`: $(($test.ErrorRecord | ForEach-Object { "$_ at $($_.InvocationInfo.ScriptLineNumber)" }) -join ' | ')" }
    }
}

foreach ($block in @($result.FailedBlocks) + @($result.FailedContainers)) {
    "FAIL $($block.Name): $($block.ErrorRecord -join ' | ')"
}

"COUNT $($result.PassedCount) passed, $($result.FailedCount) failed, $($result.SkippedCount) skipped"
exit [int]($result.Result -ne 'Passed')
