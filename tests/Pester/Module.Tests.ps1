BeforeDiscovery {
    $manifest = Get-Item (Join-Path (Split-Path (Split-Path $PSScriptRoot)) output Sway * Sway.psd1) |
        Sort-Object { [version] $_.Directory.Name } | Select-Object -Last 1
    $cmdlets = (Import-PowerShellDataFile $manifest.FullName).CmdletsToExport
}

BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
}

Describe 'The module' {
    It 'exports what its manifest names, also after a second Import-Module -Force' {
        $expected = (Import-PowerShellDataFile $Manifest).CmdletsToExport | Sort-Object
        Import-Module $Manifest -Force
        Import-Module $Manifest -Force
        (Get-Command -Module Sway).Name | Sort-Object | Should -Be $expected
    }

    It 'exports every cmdlet that it holds' {
        $assembly = (Get-Command -Module Sway)[0].ImplementingType.Assembly
        $held = $assembly.GetExportedTypes() |
            ForEach-Object { $_.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false) } |
            ForEach-Object { "$($_.VerbName)-$($_.NounName)" }
        $held | Sort-Object | Should -Be ((Get-Command -Module Sway).Name | Sort-Object)
    }

    It 'shows its tables whole in 80 columns' {
        $bible = Join-Path $Samples adapters bible
        $law = Join-Path $Samples adapters law
        $session = New-SwaySession (Join-Path $Samples base) $bible
        try {
            $tables = @(
                @{ Last = 'Problems'; Rows = Get-LoraAdapterInfo $bible }
                @{ Last = 'DeltaNorm'; Rows = (Get-LoraAdapterInfo $bible -Norms).Modules | Select-Object -First 2 }
                @{ Last = 'Findings'; Rows = Test-LoraAdapter $bible }
                @{ Last = 'Output'; Rows = ConvertTo-MlxAdapter $bible (Join-Path $TestDrive out) }
                @{ Last = 'Rank2'; Rows = Compare-LoraAdapter $bible $law | Select-Object -First 2 }
                @{ Last = 'State'; Rows = $session }
                @{ Last = 'Text'; Rows = Measure-AdapterLogprob And ' God' -Session $session }
                @{ Last = 'b/B'; Rows = Measure-AdapterPerplexity 'And God' -Session $session }
                @{ Last = 'Max JS'; Rows = Measure-AdapterDivergence 'And God' -Session $session }
                @{ Last = 'Adapted'; Rows = Get-AdapterNextToken And -Session $session }
                @{ Last = 'Inserted'; Rows = ConvertTo-Token And -Session $session }
            )
            foreach ($table in $tables) {
                $lines = ($table.Rows | Out-String -Width 80) -split '\r?\n'
                $header = $lines[([array]::FindIndex([string[]] $lines, [Predicate[string]] { $args[0] -match '^ *--' })) - 1]
                $header.TrimEnd() | Should -BeLike "*$($table.Last)"
                ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 80
            }
        }
        finally {
            $session | Remove-SwaySession
        }
    }

    It 'is a valid module that can be found on PSModulePath' {
        (Test-ModuleManifest $Manifest).Name | Should -BeExactly Sway
        $before = $env:PSModulePath
        try {
            $env:PSModulePath = Split-Path (Split-Path (Split-Path $Manifest))
            (Get-Module Sway -ListAvailable).Path | Should -Contain $Manifest
        }
        finally {
            $env:PSModulePath = $before
        }
    }

    It 'explains itself in about_Sway' {
        Get-Help about_Sway | Out-String | Should -Match 'Makes LoRA adapters safe to move'
    }
}

Describe '<_>' -ForEach $cmdlets {
    BeforeAll {
        $name = $_
        $help = Get-Help $name -Full
        $command = Get-Command $name
    }

    It 'uses an approved verb' {
        (Get-Verb $command.Verb) | Should -Not -BeNullOrEmpty
    }

    It 'has a synopsis, a description and examples' {
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.Synopsis.Trim() | Should -Not -BeLike "$name *"
        $help.Description.Text | Should -Not -BeNullOrEmpty
        @($help.Examples.Example).Count | Should -BeGreaterThan 0
    }

    It 'describes every parameter' {
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters
        foreach ($parameter in $command.Parameters.Keys | Where-Object { $_ -notin $common }) {
            (Get-Help $name -Parameter $parameter).Description.Text | Should -Not -BeNullOrEmpty -Because "-$parameter needs it"
        }
    }

    It 'declares what it puts out' {
        $command.OutputType | Should -Not -BeNullOrEmpty
    }
}
