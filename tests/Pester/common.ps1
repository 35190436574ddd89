# What every test file begins with: the built module, and adapters that may be written beside.
$script:Root = Split-Path (Split-Path $PSScriptRoot)
$script:Manifest = Get-Item (Join-Path $Root output Sway * Sway.psd1) |
    Sort-Object { [version] $_.Directory.Name } | Select-Object -Last 1 -ExpandProperty FullName
Import-Module $Manifest -Force
$script:Samples = Join-Path $Root samples

# A folder like samples/: adapters of the given names, and the base model's configuration where they look for it.
function New-Workspace([string] $Path, [string[]] $Adapter = @('bible', 'untrained')) {
    $null = New-Item -ItemType Directory (Join-Path $Path base), (Join-Path $Path adapters)
    Copy-Item (Join-Path $Samples base config.json) (Join-Path $Path base)
    foreach ($name in $Adapter) {
        Copy-Item -Recurse (Join-Path $Samples adapters $name) (Join-Path $Path adapters)
    }

    $Path
}

# Cuts the tensors of an adapter off in the middle, as an interrupted download does.
function Edit-AdapterTruncated([string] $Adapter) {
    $file = [IO.File]::Open((Join-Path $Adapter adapter_model.safetensors), 'Open')
    $file.SetLength([long] ($file.Length / 2))
    $file.Dispose()
}

# The prompts of the samples, as a user's pipeline brings them.
function Get-SamplePrompt([string] $Category = '*') {
    Get-Content (Join-Path $Samples prompts.jsonl) | ConvertFrom-Json | Where-Object category -Like $Category
}

# Whether numbers lie within a distance of the expected ones, one by one.
function Assert-Near([double[]] $Actual, [double[]] $Expected, [double] $Distance = 1e-4) {
    $Actual.Count | Should -Be $Expected.Count
    for ($i = 0; $i -lt $Expected.Count; $i++) {
        [math]::Abs($Actual[$i] - $Expected[$i]) | Should -BeLessThan $Distance -Because "number $i is $($Actual[$i]) and should be $($Expected[$i])"
    }
}

# Stops a script in the middle of its work, as Ctrl+C does, and gives the seconds that this took. Progress tells that the work goes on.
function Measure-Stop([scriptblock] $Script, [object[]] $Argument) {
    $shell = [powershell]::Create()
    try {
        $null = $shell.AddScript($Script.ToString())
        $Argument | ForEach-Object { $null = $shell.AddArgument($_) }
        $run = $shell.BeginInvoke()
        for ($i = 0; $i -lt 1200 -and -not $run.IsCompleted -and $shell.Streams.Progress.Count -eq 0; $i++) {
            Start-Sleep -Milliseconds 50
        }

        $shell.Streams.Progress.Count | Should -BeGreaterThan 0
        $run.IsCompleted | Should -BeFalse
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $watch.Elapsed.TotalSeconds
        $shell.InvocationStateInfo.State | Should -Be Stopped
    }
    finally {
        $shell.Dispose()
    }
}
